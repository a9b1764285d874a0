//! How much one person may ask for, and how much one address.

use crate::{address::limited, config::Config, error::ApiError, state::Shared};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _};
use proto::UserId;
use std::{net::IpAddr, num::NonZeroU32, time::Duration};

/// A burst is this many seconds' worth.
const BURST_S: u32 = 10;
/// How often those who have been quiet are forgotten.
const TIDY_EVERY: Duration = Duration::from_secs(2);

/// Floods are refused with the time after which asking again makes sense.
pub(crate) struct Limits {
    quota: Quota,
    actions: DefaultKeyedRateLimiter<UserId>,
    addresses: Option<DefaultKeyedRateLimiter<IpAddr>>,
}

impl Limits {
    pub(crate) fn new(config: &Config) -> Self {
        let quota = quota(config.actions_per_second);
        let addresses = config.requests_per_second_per_address.map(|rate| RateLimiter::keyed(self::quota(rate)));
        Self { quota, actions: RateLimiter::keyed(quota), addresses }
    }

    /// The limit of one socket, whoever it speaks for.
    pub(crate) fn pace(&self) -> Pace {
        Pace(RateLimiter::direct(self.quota))
    }

    /// Counts one action of this user.
    pub(crate) fn act(&self, user: UserId) -> Result<(), ApiError> {
        self.actions
            .check_key(&user)
            .map_err(|refused| ApiError::TooMany(refused.wait_time_from(self.actions.clock().now())))
    }

    /// Counts one request from this address.
    pub(crate) fn admit(&self, address: IpAddr) -> Result<(), ApiError> {
        let Some(addresses) = &self.addresses else { return Ok(()) };
        addresses
            .check_key(&limited(address))
            .map_err(|refused| ApiError::TooMany(refused.wait_time_from(addresses.clock().now())))
    }

    /// Forgets who has been quiet: of an address at most for the time of a burst.
    fn tidy(&self) {
        self.actions.retain_recent();
        self.actions.shrink_to_fit();
        if let Some(addresses) = &self.addresses {
            addresses.retain_recent();
            addresses.shrink_to_fit();
        }
    }
}

/// Tidies up until everybody has gone: what is kept is bounded by what came in [`TIDY_EVERY`] and a burst.
pub(crate) async fn keep_tidy(app: Shared) {
    let mut tick = tokio::time::interval(TIDY_EVERY);
    while app.gone.run_until_cancelled(tick.tick()).await.is_some() {
        app.limits.tidy();
    }
}

fn quota(rate: NonZeroU32) -> Quota {
    let burst = rate.saturating_mul(NonZeroU32::new(BURST_S).unwrap_or(NonZeroU32::MIN));
    Quota::per_second(rate).allow_burst(burst)
}

/// How fast one socket may go.
pub(crate) struct Pace(DefaultDirectRateLimiter);

impl Pace {
    /// Counts one event.
    pub(crate) fn keep(&self) -> Result<(), ApiError> {
        self.0.check().map_err(|refused| ApiError::TooMany(refused.wait_time_from(self.0.clock().now())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    fn limits(more: &[&str]) -> Limits {
        let args = ["gateway", "--secret-key", "a key of at least thirty-two characters"];
        Limits::new(&Config::parse_from(args.iter().chain(more)))
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([198, 51, 100, last])
    }

    #[test]
    fn a_flood_from_one_address_is_refused_while_others_go_on() {
        let limits = limits(&["--requests-per-second-per-address", "2"]);
        let admitted = (0..100).filter(|_| limits.admit(address(1)).is_ok()).count();
        assert!((20..=21).contains(&admitted), "a burst of ten seconds, {admitted} in fact");
        assert!(matches!(limits.admit(address(1)), Err(ApiError::TooMany(wait)) if wait.as_millis() <= 500));
        assert_eq!(limits.admit(address(2)), Ok(()));
    }

    #[test]
    fn without_a_limit_nothing_is_refused_and_nothing_kept() {
        let limits = limits(&[]);
        assert!((0..10_000).all(|_| limits.admit(address(1)).is_ok()));
    }

    #[test]
    fn an_address_that_is_quiet_is_forgotten() {
        let limits = limits(&["--requests-per-second-per-address", "1000"]);
        (0..=255).for_each(|last| limits.admit(address(last)).expect("admitted"));
        let addresses = limits.addresses.as_ref().expect("a limit");
        assert_eq!(addresses.len(), 256);
        // One request is forgiven after a thousandth of a second.
        std::thread::sleep(std::time::Duration::from_millis(2));
        limits.tidy();
        assert_eq!(addresses.len(), 0);
    }
}
