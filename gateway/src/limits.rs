//! How much one person may ask for.

use crate::{config::Config, error::ApiError};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _};
use proto::UserId;
use std::num::NonZeroU32;

/// A burst is this many seconds' worth.
const BURST_S: u32 = 10;

/// Floods are refused with the time after which asking again makes sense.
pub(crate) struct Limits {
    quota: Quota,
    actions: DefaultKeyedRateLimiter<UserId>,
}

impl Limits {
    pub(crate) fn new(config: &Config) -> Self {
        let rate = config.actions_per_second;
        let burst = rate.saturating_mul(NonZeroU32::new(BURST_S).unwrap_or(NonZeroU32::MIN));
        let quota = Quota::per_second(rate).allow_burst(burst);
        Self { quota, actions: RateLimiter::keyed(quota) }
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

    /// Forgets who has been quiet.
    pub(crate) fn tidy(&self) {
        self.actions.retain_recent();
        self.actions.shrink_to_fit();
    }
}

/// How fast one socket may go.
pub(crate) struct Pace(DefaultDirectRateLimiter);

impl Pace {
    /// Counts one event.
    pub(crate) fn keep(&self) -> Result<(), ApiError> {
        self.0.check().map_err(|refused| ApiError::TooMany(refused.wait_time_from(self.0.clock().now())))
    }
}
