//! NATS and MongoDB over TLS, with certificates of an authority that only these tests know.

use crate::{conversation::talk_to_the_end, support::options};
use local::{Database, Stack, StackOptions};
use proto::bus::connect::NatsConfig;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use servers::{Mongo, MongoOptions, Nats, NatsOptions, Scratch};
use std::{ffi::OsString, fs, path::PathBuf};

/// Files of an authority and of a server that it vouches for.
struct Authority {
    folder: Scratch,
}

impl Authority {
    fn new() -> anyhow::Result<Self> {
        let folder = Scratch::new()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let ca = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);
        let server_key = KeyPair::generate()?;
        let server = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()])?;
        let server = server.signed_by(&server_key, &issuer)?;
        let authority = Self { folder };
        fs::write(authority.file("ca.pem"), ca.pem())?;
        fs::write(authority.file("server.pem"), server.pem())?;
        fs::write(authority.file("server.key"), server_key.serialize_pem())?;
        fs::write(authority.file("both.pem"), format!("{}{}", server.pem(), server_key.serialize_pem()))?;
        Ok(authority)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.file(name).to_string_lossy().into_owned()
    }

    async fn nats(&self) -> anyhow::Result<Nats> {
        let args: [OsString; 5] = [
            "--tls".into(),
            "--tlscert".into(),
            self.file("server.pem").into(),
            "--tlskey".into(),
            self.file("server.key").into(),
        ];
        Nats::start(NatsOptions { args: args.into(), ..Default::default() }).await
    }

    /// One that also takes connections without, from whoever starts it.
    async fn mongo(&self) -> anyhow::Result<Mongo> {
        let args: [OsString; 7] = [
            "--tlsMode".into(),
            "allowTLS".into(),
            "--tlsCertificateKeyFile".into(),
            self.file("both.pem").into(),
            "--tlsCAFile".into(),
            self.file("ca.pem").into(),
            "--tlsAllowConnectionsWithoutCertificates".into(),
        ];
        Mongo::start(MongoOptions { args: args.into(), ..Default::default() }).await
    }
}

fn connection(nats: &Nats, ca: Option<String>) -> NatsConfig {
    NatsConfig { nats_url: nats.url(), nats_user: None, nats_password: None, nats_ca_file: ca }
}

async fn connects(nats: &Nats, ca: Option<String>) -> bool {
    let connection = connection(nats, ca);
    connection.options().expect("good options").connect(connection.addresses()).await.is_ok()
}

#[tokio::test]
async fn nats_is_spoken_with_over_tls_and_only_if_the_authority_vouches_for_it() -> anyhow::Result<()> {
    let (ours, other) = (Authority::new()?, Authority::new()?);
    let (secret, open) = (ours.nats().await?, Nats::start(NatsOptions::default()).await?);
    for (case, nats, ca, good) in [
        ("our authority", &secret, Some(ours.text("ca.pem")), true),
        ("another authority", &secret, Some(other.text("ca.pem")), false),
        ("the system's authorities", &secret, None, false),
        ("a server without TLS", &open, Some(ours.text("ca.pem")), false),
        ("no TLS on either side", &open, None, true),
    ] {
        assert_eq!(connects(nats, ca).await, good, "{case}");
    }
    Ok(())
}

#[tokio::test]
async fn the_whole_system_works_over_tls() -> anyhow::Result<()> {
    let authority = Authority::new()?;
    let (nats, mongo) = tokio::try_join!(authority.nats(), authority.mongo())?;
    let mongodb = Database::At(format!("{}&tls=true&tlsCAFile={}", mongo.url(), authority.text("ca.pem")));
    let env = vec![("NATS_CA_FILE".to_owned(), authority.text("ca.pem"))];
    let many = StackOptions { gateways: 2, nats_url: Some(nats.url()), mongodb, env, ..options() };
    let stack = Stack::start(many).await?;
    talk_to_the_end(&stack).await;
    stack.stop().await
}
