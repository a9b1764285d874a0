//! How much one person may ask for.

use crate::{config::Config, error::ApiError};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _};
use proto::UserId;
use std::num::NonZeroU32;

/// A burst is this many seconds' worth.
const BURST_S: u32 = 10;

/// Floods are refused with the time after which asking again makes sense.
pub(crate) struct Limits {
    actions: DefaultKeyedRateLimiter<UserId>,
}

impl Limits {
    pub(crate) fn new(config: &Config) -> Self {
        let rate = config.actions_per_second;
        let burst = rate.saturating_mul(NonZeroU32::new(BURST_S).unwrap_or(NonZeroU32::MIN));
        Self { actions: RateLimiter::keyed(Quota::per_second(rate).allow_burst(burst)) }
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
