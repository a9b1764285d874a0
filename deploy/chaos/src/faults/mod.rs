//! The faults by name.
//!
//! `strike` starts and ends each of them in a `scene`; `services` and `servers` break processes, `bus_proxy` the way
//! between one gateway and NATS, and `aim` finds the moment at which a fault hurts most.

pub mod aim;
pub(crate) mod bus_proxy;
pub(crate) mod scene;
mod servers;
mod services;
mod strike;

pub(crate) use services::read_metric;

/// The gateway whose bus can be suspended, counted from 0.
pub(crate) const SUSPENDABLE: usize = 0;

/// What can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL of a gateway.
    KillGateway,
    /// SIGTERM of a gateway, as in a deployment.
    DrainGateway,
    /// SIGKILL of the leading matcher, in the middle of a match round.
    KillMatcher,
    /// SIGKILL of a chat-store with messages in flight.
    KillChatStore,
    /// SIGKILL of the NATS node that leads the stream of messages or of users.
    KillNats,
    /// SIGKILL of all NATS nodes at once.
    RestartNats,
    /// SIGKILL of the MongoDB primary.
    KillMongodb,
    /// The MongoDB primary steps down.
    StepDown,
    /// SIGSTOP of a gateway for 10 s.
    PauseGateway,
    /// SIGSTOP of a gateway for 14 s: its lease lapses, and its users are given up before it wakes up.
    PauseGatewayLong,
    /// Nothing passes between one gateway and NATS for 3 to 12 s, while users open a tab there and then one elsewhere.
    SuspendBus,
    /// SIGSTOP of the leading matcher for 10 s.
    PauseMatcher,
    /// SIGSTOP of a chat-store for 10 s.
    PauseChatStore,
    /// SIGSTOP of a leading NATS node for 10 s.
    PauseNats,
    /// SIGSTOP of the MongoDB primary for 10 s.
    PauseMongodb,
    /// SIGKILL of all NATS nodes, which stay down for 30 s.
    OutageNats,
    /// SIGKILL of all MongoDB members, which stay down for 30 s.
    OutageMongodb,
    /// SIGTERM and a new start of every service, one after the other.
    RollingRestart,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::KillGateway,
        Self::DrainGateway,
        Self::KillMatcher,
        Self::KillChatStore,
        Self::KillNats,
        Self::RestartNats,
        Self::KillMongodb,
        Self::StepDown,
        Self::PauseGateway,
        Self::PauseGatewayLong,
        Self::SuspendBus,
        Self::PauseMatcher,
        Self::PauseChatStore,
        Self::PauseNats,
        Self::PauseMongodb,
        Self::OutageNats,
        Self::OutageMongodb,
        Self::RollingRestart,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::KillGateway => "kill-gateway",
            Self::DrainGateway => "drain-gateway",
            Self::KillMatcher => "kill-matcher",
            Self::KillChatStore => "kill-chat-store",
            Self::KillNats => "kill-nats",
            Self::RestartNats => "restart-nats",
            Self::KillMongodb => "kill-mongodb",
            Self::StepDown => "step-down-mongodb",
            Self::PauseGateway => "pause-gateway",
            Self::PauseGatewayLong => "pause-gateway-14s",
            Self::SuspendBus => "suspend-bus",
            Self::PauseMatcher => "pause-matcher",
            Self::PauseChatStore => "pause-chat-store",
            Self::PauseNats => "pause-nats",
            Self::PauseMongodb => "pause-mongodb",
            Self::OutageNats => "outage-nats",
            Self::OutageMongodb => "outage-mongodb",
            Self::RollingRestart => "rolling-restart",
        }
    }

    /// The fault of this name.
    ///
    /// # Errors
    /// When there is none; with the names that there are.
    pub fn named(name: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL.into_iter().find(|fault| fault.name() == name).ok_or_else(|| format!("one of: {}", known()))
    }
}
