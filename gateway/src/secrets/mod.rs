//! The secrets of users: a signed token that carries the user's id. Any gateway verifies it without a request; clients
//! treat it as opaque.

mod hs256;

use crate::{api::error::ApiError, config::Config};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, get_current_timestamp};
use proto::UserId;
use serde::{Deserialize, Serialize};

/// Shorter keys can be guessed.
const MIN_KEY_LENGTH: usize = 32;

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: UserId,
    exp: u64,
}

/// Signs and verifies.
pub(crate) struct Secrets {
    sign: EncodingKey,
    verify: Vec<DecodingKey>,
    ttl_s: u64,
}

impl Secrets {
    /// With the keys of the configuration.
    ///
    /// # Errors
    /// When a key is too short.
    pub(crate) fn new(config: &Config) -> anyhow::Result<Self> {
        hs256::install();
        let key = long_enough("SECRET_KEY", &config.secret_key)?;
        // Deployments that name it without a value pass on an empty one.
        let previous = config.secret_key_previous.as_deref().filter(|key| !key.is_empty());
        let previous = previous.map(|key| long_enough("SECRET_KEY_PREVIOUS", key)).transpose()?;
        Ok(Self {
            sign: EncodingKey::from_secret(key),
            verify: [Some(key), previous].into_iter().flatten().map(DecodingKey::from_secret).collect(),
            ttl_s: config.secret_ttl.as_secs(),
        })
    }

    /// Signs a secret for a user.
    ///
    /// # Errors
    /// `Unavailable` when signing fails.
    pub(crate) fn sign(&self, user: UserId) -> Result<String, ApiError> {
        let claims = Claims { sub: user, exp: get_current_timestamp() + self.ttl_s };
        encode(&Header::new(Algorithm::HS256), &claims, &self.sign).map_err(|error| {
            tracing::error!(%error, "secret not signed");
            ApiError::Unavailable
        })
    }

    /// The user of a secret.
    ///
    /// # Errors
    /// `UnknownSecret` when it is forged or expired.
    pub(crate) fn verify(&self, secret: &str) -> Result<UserId, ApiError> {
        let validation = Validation::new(Algorithm::HS256);
        let claims = |key| decode::<Claims>(secret, key, &validation).ok();
        self.verify.iter().find_map(claims).map(|token| token.claims.sub).ok_or(ApiError::UnknownSecret)
    }
}

fn long_enough<'a>(name: &str, key: &'a str) -> anyhow::Result<&'a [u8]> {
    anyhow::ensure!(
        key.len() >= MIN_KEY_LENGTH,
        "{name} has to be at least {MIN_KEY_LENGTH} characters; make one with: openssl rand -hex 32"
    );
    Ok(key.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    const OLD: &str = "an old key of thirty-two letters";
    const NEW: &str = "a new key of thirty-two letters!";

    fn secrets(args: &[&str]) -> anyhow::Result<Secrets> {
        Secrets::new(&Config::parse_from(["gateway", "--secret-key"].iter().chain(args)))
    }

    #[test]
    fn a_secret_of_the_key_before_is_still_good() {
        let user = UserId::new();
        let old = secrets(&[OLD]).expect("a key").sign(user).expect("signed");
        let rotated = secrets(&[NEW, "--secret-key-previous", OLD]).expect("keys");
        assert_eq!(rotated.verify(&old).expect("accepted"), user);
        assert!(secrets(&[NEW]).expect("a key").verify(&old).is_err());
    }

    #[test]
    fn what_nobody_signed_is_refused() {
        let secrets = secrets(&[OLD]).expect("a key");
        let good = secrets.sign(UserId::new()).expect("signed");
        let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIwIiwiZXhwIjo5OTk5OTk5OTk5fQ.";
        for bad in ["", "x", unsigned, &good[..good.len() - 2], &format!("{good}x")] {
            assert!(secrets.verify(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_expired_secret_is_refused() {
        let expired = secrets(&[OLD, "--secret-ttl", "1s"]).expect("a key");
        let validation_leeway_s = 60;
        let claims = Claims { sub: UserId::new(), exp: get_current_timestamp() - validation_leeway_s - 1 };
        let secret = encode(&Header::new(Algorithm::HS256), &claims, &expired.sign).expect("signed");
        assert!(expired.verify(&secret).is_err());
    }

    #[test]
    fn a_secret_is_good_for_its_time() {
        let secrets = secrets(&[OLD, "--secret-ttl", "10m"]).expect("a key");
        let before = get_current_timestamp();
        let secret = secrets.sign(UserId::new()).expect("signed");
        let claims: Claims =
            decode(&secret, &secrets.verify[0], &Validation::new(Algorithm::HS256)).expect("good").claims;
        assert!((before + 600..=get_current_timestamp() + 600).contains(&claims.exp), "{}", claims.exp);
    }

    #[test]
    fn a_short_key_is_refused_by_its_name() {
        let refusal = |args: &[&str]| secrets(args).err().expect("refused").to_string();
        assert!(refusal(&["short"]).starts_with("SECRET_KEY has"));
        assert!(refusal(&[NEW, "--secret-key-previous", "short"]).starts_with("SECRET_KEY_PREVIOUS has"));
    }

    #[test]
    fn a_secret_that_another_implementation_signed_is_good() {
        let user = "0196f2f2000070008000000000000001";
        let signed_elsewhere = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIwMTk2ZjJmMi0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDEiLCJleHAiOjMyNTAzNjgwMDAwfQ.RfU-_odsJ5DnAgQsHEDUmq0C81ZxeHm2rXkNbBg9unI";
        let verified = secrets(&[OLD]).expect("a key").verify(signed_elsewhere).expect("accepted");
        assert_eq!(verified.to_string(), user);
    }

    #[test]
    fn an_empty_previous_key_is_none() {
        let secrets = secrets(&[NEW, "--secret-key-previous", ""]).expect("a key");
        assert_eq!(secrets.verify.len(), 1);
    }
}
