//! Users and passwords of the servers, from the files that production uses: the users of the bus in
//! `deploy/k8s/access/nats-users.conf`, roles and users of the database in `mongodb-roles.json` in the same folder.

use std::{
    fmt, fs,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use async_nats::ConnectOptions;
use mongodb::{
    Client,
    bson::{Bson, Document, doc},
    error::ErrorKind,
    options::ClientOptions,
};

use crate::{replica_set, scratch::random_name};

const NATS_USERS: &str = include_str!("../../k8s/access/nats-users.conf");
const MONGODB_ROLES: &str = include_str!("../../k8s/access/mongodb-roles.json");

/// The users of the bus, with the variables of the nats-server that hold their passwords.
const BUS_USERS: [(&str, &str); 5] = [
    ("gateway", "NATS_GATEWAY_PASSWORD"),
    ("matcher", "NATS_MATCHER_PASSWORD"),
    ("chat-store", "NATS_CHAT_STORE_PASSWORD"),
    ("operator", "NATS_OPERATOR_PASSWORD"),
    ("dead-letters", "NATS_DEAD_LETTERS_PASSWORD"),
];
/// MongoDB's codes for a role and a user that exist already.
const EXISTS: [i32; 2] = [51002, 51003];

/// The secret from which every password of a set of servers is derived.
#[derive(Clone)]
pub struct Access {
    secret: String,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Access")
    }
}

impl Default for Access {
    fn default() -> Self {
        Self::new(format!("{}{}", random_name(), random_name()))
    }
}

impl Access {
    /// From a secret of at least 6 letters and digits. Data that is used again needs the same secret.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self { secret }
    }

    /// The password of a user of the bus, or of the database.
    #[must_use]
    pub fn password(&self, user: &str) -> String {
        format!("{user}-{}", self.secret)
    }

    /// The options of a user of the bus: its password, and its own inbox prefix.
    #[must_use]
    pub fn nats_options(&self, user: &str) -> ConnectOptions {
        let password = self.password(user);
        ConnectOptions::with_user_and_password(user.to_owned(), password).custom_inbox_prefix(format!("_INBOX_{user}"))
    }

    /// An address of NATS that contains a user, for the `nats` command.
    #[must_use]
    pub fn nats_url(&self, urls: &str, user: &str) -> String {
        let with_user = format!("nats://{user}:{}@", self.password(user));
        urls.split(',').map(|url| url.replacen("nats://", &with_user, 1)).collect::<Vec<_>>().join(",")
    }

    /// An address of MongoDB that contains a user of a database, or, without one, the user with all rights.
    #[must_use]
    pub fn mongodb_uri(&self, hosts: &str, of: Option<(&str, &str)>) -> String {
        let set = replica_set::NAME;
        match of {
            Some((user, database)) => {
                format!("mongodb://{user}:{}@{hosts}/?replicaSet={set}&authSource={database}", self.password(user))
            }
            // Members authenticate each other by the key in their file. This user has the same key.
            None => format!(
                "mongodb://__system:{}@{hosts}/?replicaSet={set}&authSource=local&authMechanism=SCRAM-SHA-256",
                self.secret
            ),
        }
    }

    /// Creates or updates the roles and users of the services.
    ///
    /// # Errors
    /// When MongoDB refuses, or does not reply.
    pub async fn grant(&self, admin_uri: &str, database: &str) -> anyhow::Result<()> {
        let client = Client::with_options(ClientOptions::parse(admin_uri).await?)?;
        for command in self.commands(database)? {
            run(&client.database(database), command).await?;
        }
        client.shutdown().immediate(true).await;
        Ok(())
    }

    fn commands(&self, database: &str) -> anyhow::Result<Vec<Document>> {
        let known = [
            ("${MONGODB_DATABASE}", database.to_owned()),
            ("${MONGODB_MATCHER_PASSWORD}", self.password("matcher")),
            ("${MONGODB_CHAT_STORE_PASSWORD}", self.password("chat-store")),
        ];
        let text = known.iter().fold(MONGODB_ROLES.to_owned(), |text, (name, value)| text.replace(name, value));
        let file: Document = serde_json::from_str(&text).context("mongodb-roles.json")?;
        let commands = |name| anyhow::Ok(file.get_array(name)?.iter().filter_map(Bson::as_document).cloned());
        Ok(commands("roles")?.chain(commands("users")?).collect())
    }

    /// Writes the users of the bus into a folder, as the configuration of a nats-server.
    pub(crate) fn nats_configuration(folder: &Path) -> anyhow::Result<PathBuf> {
        let file = folder.join("nats-users.conf");
        fs::write(&file, NATS_USERS).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }

    /// The environment of a nats-server with this configuration.
    pub(crate) fn nats_environment(&self) -> Vec<(String, String)> {
        // The quotes belong to the value: the server reads it like a line of its configuration.
        let quoted = |user| format!("\"{}\"", self.password(user));
        BUS_USERS.iter().map(|(user, variable)| ((*variable).to_owned(), quoted(user))).collect()
    }

    /// Writes the key by which members of a replica set authenticate each other.
    pub(crate) fn mongodb_key(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let file = folder.join("mongodb.key");
        let open = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&file);
        open.and_then(|mut open| std::io::Write::write_all(&mut open, self.secret.as_bytes()))
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }
}

async fn run(database: &mongodb::Database, command: Document) -> anyhow::Result<()> {
    let Err(error) = database.run_command(command.clone()).await else { return Ok(()) };
    let exists = matches!(error.kind.as_ref(), ErrorKind::Command(failed) if EXISTS.contains(&failed.code));
    if !exists {
        return Err(error).context("granting access to MongoDB");
    }
    let mut update = doc! {};
    for (name, value) in command {
        update.insert(name.replacen("create", "update", 1), value);
    }
    database.run_command(update).await.context("granting access to MongoDB again").map(drop)
}
