//! The chat-store's configuration, by flags or environment. Nothing else reads either.

use clap::Parser;
use proto::{
    ProcessId,
    database::MongoDb,
    process::{Common, ServiceConfig, positive},
};
use std::time::Duration;

/// Stores, publishes and erases the messages of *talk to me*.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Config {
    /// What all services have in common.
    #[command(flatten)]
    pub common: Common,
    /// The name of this chat-store for operators, for instance that of its pod: at most 55 letters, digits, '-' or
    /// '_'. On the bus each process appends something of its own.
    #[arg(long, env = "CHAT_STORE_ID", default_value = "chat-store")]
    pub chat_store_id: ProcessId,
    /// Where MongoDB is.
    #[command(flatten)]
    pub mongodb: MongoDb,
    /// When MongoDB removes a message by itself. Not renewed: has to be longer than any conversation, since the last
    /// message of a room says which sequence is next.
    #[arg(long, env = "MESSAGE_TTL", default_value = "8d", value_parser = positive)]
    pub message_ttl: Duration,
    /// The most commands of a batch.
    #[arg(long, env = "BATCH_SIZE", default_value_t = 200, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub batch_size: u16,
    /// How often to look for messages whose room is gone.
    #[arg(long, env = "SWEEP_INTERVAL", default_value = "1m", value_parser = positive)]
    pub sweep_interval: Duration,
    /// How long a room has to be gone before the sweep erases its messages: the time that the usual erasure has.
    #[arg(long, env = "SWEEP_GRACE", default_value = "10s", value_parser = positive)]
    pub sweep_grace: Duration,
}

impl ServiceConfig for Config {
    fn common(&self) -> &Common {
        &self.common
    }

    fn instance(&self) -> String {
        self.chat_store_id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_live_as_long_as_the_table_of_times_says() {
        assert_eq!(Config::parse_from(["chat-store"]).message_ttl, proto::timing::MESSAGE_TTL);
    }

    #[test]
    fn durations_of_zero_are_refused_at_the_start() {
        for flag in ["--message-ttl", "--sweep-interval", "--sweep-grace"] {
            let refused = Config::try_parse_from(["chat-store", flag, "0s"]).expect_err(flag).to_string();
            assert!(refused.contains(flag) && refused.contains("at least 1ms"), "{refused}");
        }
    }
}
