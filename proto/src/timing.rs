//! The times that must be read against each other, with the reason for each. `matcher/README.md` has them as a table;
//! the tests below hold what has to hold between them.

use std::time::Duration;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn s(s: u64) -> Duration {
    Duration::from_secs(s)
}

/// How long a gateway's lease lives, in whole seconds; renewed three times in that time.
pub const GATEWAY_LEASE: Duration = s(6);
/// How long a gateway's lease has to be missing before its connections count as lost: one lost renewal, or a moment
/// without a leader in NATS, is no loss. With the lease and one poll it stays below the 15 s of promise 6.
pub const LEASE_GRACE: Duration = s(3);
/// How often the leader reads the leases: in every sweep.
pub const LEASE_POLL: Duration = SWEEP;
/// After an outage of NATS no user is removed, and no lease counts as missing, for so long: gateways reconnect within
/// 1 s, renew every 2 s, and publish what waited.
pub const OUTAGE_SETTLE: Duration = s(4);

/// How long a user may be without a connection before they are removed: promise 5.
pub const RESUME_WINDOW: Duration = s(30);
/// How long the partner is not notified of a connection that a draining gateway closed: promise 5.
pub const DRAIN_GRACE: Duration = s(5);
/// How long the two of a new room have to enter it: a client that reconnects needs some seconds, and the partner waits
/// meanwhile.
pub const ENTER_TIMEOUT: Duration = s(15);
/// How long a user waits in vent or listen before they are moved to talk: promise 2.
pub const FALLBACK_AFTER: Duration = s(10);
/// How often people are matched when nothing wakes the leader earlier: promise 2.
pub const MATCH_INTERVAL: Duration = s(3);
/// How long the leader's lease lives, in whole seconds.
pub const LEADER_LEASE: Duration = s(3);

/// How often the leader sweeps: with [`TOMBSTONE`] everything is erased within the 5 s of promise 7.
pub const SWEEP: Duration = s(1);
/// How long an erased user's id and register are kept, so that commands that were on their way change nothing.
pub const TOMBSTONE: Duration = s(3);
/// How often the leader compares the registers of a gateway with what that gateway serves. Twice that, a page of
/// requests and a sweep stay below the minute of promise 6.
pub const RECONCILE: Duration = s(20);

/// A claim that lost by stamps alone is made again with a newer stamp while its connection is younger than this.
/// Longer than a matcher takes, shorter than a user takes to open another tab and come back to this one.
pub const FRESH_CLAIM: Duration = s(2);
/// How long a client waits for the result of a command; then it is refused, and repeating it is safe: promise 3.
pub const RESULT_DEADLINE: Duration = s(5);
/// How long a gateway may take to reply whether it still waits for the reply to a command.
pub const CONFIRM_TIMEOUT: Duration = s(1);
/// How long a legacy client that queued by POST is not matched: `queue_complete` must not overtake the response.
pub const SETTLE: Duration = ms(150);
/// How often a connection is probed, and how long a probe may go unanswered.
pub const PING_INTERVAL: Duration = s(10);
/// See [`PING_INTERVAL`]. Together they stay below [`RESUME_WINDOW`], so that a client that notices a dead connection
/// by itself is back in time.
pub const PING_TIMEOUT: Duration = s(15);

/// How long a command may be worked on before NATS delivers it to another consumer; a consumer that works on it longer
/// signals progress.
pub const ACK_WAIT: Duration = s(5);
/// How long one attempt to apply a command or a batch may take: a database that hangs must not hang its consumer.
pub const APPLY_TIMEOUT: Duration = s(10);
/// How long a silent chat-store stays pinned to a partition. Measured fail-over at 3 s: 2.5 s.
pub const PINNED_TIMEOUT: Duration = s(3);
/// How long one pull request lasts. One that a dying node took with it is missed for this long. Well below
/// [`PINNED_TIMEOUT`], or an idle partition changes hands.
pub const PULL_EXPIRES: Duration = s(1);
/// How long the server refuses a second publication of one command.
pub const DUPLICATE_WINDOW: Duration = s(120);
/// A command that was not applied for so long is of no use: its client has given up long ago.
pub const COMMAND_MAX_AGE: Duration = s(3600);

/// When MongoDB removes a user or a room by itself. Not renewed: longer than any conversation.
pub const ROOM_TTL: Duration = s(7 * 24 * 3600);
/// When MongoDB removes a message by itself. A day longer than [`ROOM_TTL`], since the last message of a room says
/// which sequence is next.
pub const MESSAGE_TTL: Duration = s(8 * 24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_fit_together() {
        let killed_gateway = GATEWAY_LEASE + s(1) + LEASE_POLL + LEASE_GRACE;
        assert!(killed_gateway <= s(15), "promise 6: not offered within 15 s of a kill");
        assert!(GATEWAY_LEASE / 3 < LEASE_GRACE, "one renewal that is late is no loss");
        assert!(GATEWAY_LEASE / 3 + s(1) < OUTAGE_SETTLE, "gateways are back before any user is removed");
        assert!(TOMBSTONE + SWEEP < s(5), "promise 7: erased within 5 s");
        assert!(2 * RECONCILE + SWEEP + s(5) < s(60), "promise 6: no ghost for longer than a minute");
        assert!(PING_INTERVAL + PING_TIMEOUT < RESUME_WINDOW, "promise 5: back in time");
        assert!(FALLBACK_AFTER < ENTER_TIMEOUT && ENTER_TIMEOUT < RESUME_WINDOW);
        assert!(2 * PULL_EXPIRES < PINNED_TIMEOUT, "an idle partition stays where it is");
        assert!(RESULT_DEADLINE < DUPLICATE_WINDOW, "what a client repeats is recognised");
        assert!(ROOM_TTL < MESSAGE_TTL && COMMAND_MAX_AGE < ROOM_TTL);
    }
}
