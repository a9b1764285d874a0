//! The faults by name. `striking` does them.

/// What can be broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL of a gateway.
    KillGateway,
    /// SIGTERM of a gateway, as in a deployment.
    DrainGateway,
    /// SIGKILL of the matcher that ticks, in the middle of a tick.
    KillMatcher,
    /// SIGKILL of a chat-store with messages in flight.
    KillChatStore,
    /// SIGKILL of the NATS node that leads the stream of messages or of users.
    KillNats,
    /// SIGKILL of all NATS nodes at once.
    RestartNats,
    /// SIGKILL of the MongoDB primary.
    KillMongodb,
    /// The MongoDB primary gives up its place.
    StepDown,
    /// SIGSTOP of a gateway for 10 s.
    PauseGateway,
    /// SIGSTOP of the ticking matcher for 10 s.
    PauseMatcher,
    /// SIGSTOP of a chat-store for 10 s.
    PauseChatStore,
    /// SIGSTOP of a leading NATS node for 10 s.
    PauseNats,
    /// SIGSTOP of the MongoDB primary for 10 s.
    PauseMongodb,
    /// SIGKILL of all NATS nodes, which stay away for 30 s.
    OutageNats,
    /// SIGKILL of all MongoDB members, which stay away for 30 s.
    OutageMongodb,
    /// SIGTERM and a new start of every service, one after the other.
    RollingRestart,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::KillGateway,
        Self::DrainGateway,
        Self::KillMatcher,
        Self::KillChatStore,
        Self::KillNats,
        Self::RestartNats,
        Self::KillMongodb,
        Self::StepDown,
        Self::PauseGateway,
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
