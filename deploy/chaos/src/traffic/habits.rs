//! What a simulated client will do at the moment of its match, as the seed decides. Pairs whose members leave at that
//! moment, both of them or one, are what most protocols of a match forget.

use std::time::Duration;

use fastrand::Rng;

/// How a client ends its presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// The event `leave_room`.
    LeaveRoom,
    /// A namespace disconnect (`41`): a goodbye for legacy clients, a lost connection for current ones.
    Disconnect,
    /// Closes the tab.
    CloseTab,
}

/// What a client does when `queue_complete` arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtMatch {
    /// Enters the room.
    Enter,
    /// Goes at once, before it has entered.
    Leave(Exit),
}

/// Who comes.
#[derive(Clone)]
pub(crate) enum Visit {
    /// A client like any other; one in twelve leaves at its match.
    Usual,
    /// One of a crowd that leaves at the match, but for a few who enter.
    Fickle,
}

impl Visit {
    pub(crate) fn at_match(&self, rng: &mut Rng, exits: &[Exit]) -> AtMatch {
        let leaves = match self {
            Self::Usual => rng.u32(..12) == 0,
            Self::Fickle => rng.u32(..6) > 0,
        };
        if leaves { AtMatch::Leave(exits[rng.usize(..exits.len())]) } else { AtMatch::Enter }
    }
}

/// How long a current client stays in a room. One in six stays for so long that a room whose other member has vanished
/// has to end by itself.
pub(crate) fn stay(rng: &mut Rng) -> Duration {
    Duration::from_millis(if rng.u32(..6) == 0 { rng.u64(45_000..70_000) } else { rng.u64(4_000..20_000) })
}

/// A queue.
pub(crate) fn queue(rng: &mut Rng) -> &'static str {
    ["vent", "listen", "talk"][rng.usize(..3)]
}
