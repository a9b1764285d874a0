//! Identifiers. All are UUIDs in their simple form (32 hexadecimal digits), because a subject
//! token holds no dots and a shorter line is easier to read; any UUID form is accepted.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $new:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// A new unique id.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "each call gives another value")]
            pub fn new() -> Self {
                Self(Uuid::$new())
            }

            /// The 128 bits.
            #[must_use]
            pub fn as_u128(self) -> u128 {
                self.0.as_u128()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_simple().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = uuid::Error;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    };
}

id!(
    /// A user, for the length of one conversation. Not a secret.
    UserId, new_v4
);
id!(
    /// A conversation of two.
    RoomId, new_v4
);
id!(
    /// A stored message. Time-ordered, so that inserts into its index stay local.
    MessageId, now_v7
);
id!(
    /// One request on the bus; published again with the same id it is the same request.
    CommandId, now_v7
);

/// A process: letters, digits, `-` and `_`, for instance the name of its pod.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ProcessId(String);

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ProcessId> for String {
    fn from(id: ProcessId) -> Self {
        id.0
    }
}

impl TryFrom<String> for ProcessId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for ProcessId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if (1..=64).contains(&text.len()) && text.chars().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err("the id of a process is 1 to 64 letters, digits, '-' or '_'".to_owned())
        }
    }
}

impl ProcessId {
    /// This name with a random suffix, so that no earlier process had it: what belonged to a process that was killed is
    /// not taken for that of the process that was started in its place.
    ///
    /// # Errors
    /// When the name is longer than 55 characters.
    pub fn of_this_life(&self) -> Result<Self, String> {
        let own = Uuid::new_v4().simple().to_string();
        format!("{self}-{}", &own[..8]).parse()
    }
}

/// A gateway's process.
pub type GatewayId = ProcessId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_uuid_is_read_and_the_simple_one_written() {
        let id: UserId = "67e55044-10b1-426f-9247-bb680e5fe0c8".parse().expect("a uuid");
        assert_eq!(id.to_string(), "67e5504410b1426f9247bb680e5fe0c8");
        assert_eq!(id, id.to_string().parse().expect("its own form"));
    }

    #[test]
    fn the_id_of_a_process_cannot_break_a_subject() {
        for bad in ["", "a.b", "a b", "a*", ">", &"x".repeat(65)] {
            assert!(bad.parse::<ProcessId>().is_err(), "{bad:?}");
        }
        assert!("gateway-1_x".parse::<ProcessId>().is_ok());
    }
}
