//! The last-writer-wins register of a user's connections.
//!
//! A gateway names a connection before it publishes anything of it, and uses that name in every retry. The matcher
//! merges what it receives into one register a user. The merge is a maximum, so that it is commutative, associative
//! and idempotent: redelivery, reordering, replay and two matchers at once come to the same register.

use crate::ids::GatewayId;
use serde::{Deserialize, Serialize};
use strum::VariantNames;

/// The name of one connection of one user. Stamps are ordered by their fields in this order; the newest wins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConnectionStamp {
    /// When the connection began to speak for its user, in milliseconds since 1970, by the gateway's clock; later
    /// than that when a fresh connection had to overtake the stamp of a gateway whose clock is ahead.
    pub opened_at_ms: i64,
    /// The process that serves the connection. The id of a process is never used again.
    pub gateway: GatewayId,
    /// Counts the connections of that process.
    pub counter: u64,
}

/// Whether the connection of a stamp is still there. Closed wins over open at the same stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, VariantNames)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum ConnectionState {
    /// The connection was opened, and no close of it is known.
    Open,
    /// A draining gateway closed it and expects the client on another gateway.
    Drained,
    /// It is closed: the tab was closed, the network was lost.
    Lost,
}

/// The newest connection of a user that is known, and its state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Register {
    /// Which connection.
    #[serde(flatten)]
    pub stamp: ConnectionStamp,
    /// Its state.
    pub state: ConnectionState,
}

impl Register {
    /// A connection that was opened.
    #[must_use]
    pub fn open(stamp: ConnectionStamp) -> Self {
        Self { stamp, state: ConnectionState::Open }
    }

    /// Whether no close of the newest connection is known.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state == ConnectionState::Open
    }

    /// Takes in what is known of a connection; true if that changed anything.
    pub fn merge(current: &mut Option<Self>, observed: Self) -> bool {
        let newer = current.as_ref().is_none_or(|current| observed > *current);
        if newer {
            *current = Some(observed);
        }
        newer
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn observed() -> impl Strategy<Value = Register> {
        let states = [ConnectionState::Open, ConnectionState::Drained, ConnectionState::Lost];
        (0_i64..4, 0_usize..2, 0_u64..3, prop::sample::select(states.to_vec())).prop_map(
            |(opened_at_ms, gateway, counter, state)| Register {
                stamp: ConnectionStamp { opened_at_ms, gateway: ["a", "b"][gateway].parse().expect("an id"), counter },
                state,
            },
        )
    }

    fn merged(all: &[Register]) -> Option<Register> {
        let mut register = None;
        for one in all {
            Register::merge(&mut register, one.clone());
        }
        register
    }

    proptest! {
        #[test]
        fn the_order_and_number_of_observations_do_not_matter(
            all in prop::collection::vec(observed(), 1..12),
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let mut replayed: Vec<Register> = order.iter().map(|index| index.get(&all).clone()).collect();
            replayed.extend(all.iter().rev().cloned());
            prop_assert_eq!(merged(&all), merged(&replayed));
        }

        #[test]
        fn two_halves_that_were_merged_apart_come_to_the_same(
            all in prop::collection::vec(observed(), 2..12),
            at in any::<prop::sample::Index>(),
        ) {
            let (one, other) = all.split_at(at.index(all.len()));
            let halves: Vec<Register> = merged(one).into_iter().chain(merged(other)).collect();
            prop_assert_eq!(merged(&all), merged(&halves));
        }

        #[test]
        fn the_newest_stamp_is_left_and_closed_wins_over_open(all in prop::collection::vec(observed(), 1..12)) {
            let left = merged(&all).expect("a register");
            prop_assert!(all.iter().all(|one| one.stamp <= left.stamp));
            let closed = all.iter().any(|one| one.stamp == left.stamp && !one.is_open());
            prop_assert_eq!(left.is_open(), !closed);
        }
    }
}
