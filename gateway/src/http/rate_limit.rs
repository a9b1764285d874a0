//! Rate limits: of a user's actions, of one socket's events, and of one address' requests. A flood is refused with the
//! time after which a retry makes sense.

use crate::{api::error::ApiError, http::client_ip::rate_limit_key};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _};
use proto::UserId;
use std::{net::IpAddr, num::NonZeroU32, time::Duration};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// A burst is this many seconds' worth.
const BURST_S: u32 = 10;
/// How often quiet users and addresses are forgotten.
const CLEANUP: Duration = Duration::from_secs(2);

/// The rate limits of this gateway.
pub(crate) struct RateLimits {
    quota: Quota,
    users: DefaultKeyedRateLimiter<UserId>,
    addresses: Option<DefaultKeyedRateLimiter<IpAddr>>,
}

impl RateLimits {
    /// Actions a second of one user, and requests a second of one address; a burst may be ten times as much.
    pub(crate) fn new(actions: NonZeroU32, requests_per_address: Option<NonZeroU32>) -> Self {
        let (quota, addresses) = (quota(actions), requests_per_address.map(|rate| RateLimiter::keyed(quota(rate))));
        Self { quota, users: RateLimiter::keyed(quota), addresses }
    }

    /// A limit for the events of one socket, whoever it speaks for.
    pub(crate) fn of_socket(&self) -> SocketRateLimit {
        SocketRateLimit(RateLimiter::direct(self.quota))
    }

    /// Counts one action of a user.
    ///
    /// # Errors
    /// `TooMany` when there were too many.
    pub(crate) fn check_user(&self, user: UserId) -> Result<(), ApiError> {
        let now = || self.users.clock().now();
        self.users.check_key(&user).map_err(|refused| ApiError::TooMany(refused.wait_time_from(now())))
    }

    /// Counts one request of an address.
    ///
    /// # Errors
    /// `TooMany` when there were too many.
    pub(crate) fn check_address(&self, address: IpAddr) -> Result<(), ApiError> {
        let Some(addresses) = &self.addresses else { return Ok(()) };
        let now = || addresses.clock().now();
        let key = rate_limit_key(address);
        addresses.check_key(&key).map_err(|refused| ApiError::TooMany(refused.wait_time_from(now())))
    }

    /// Forgets quiet users and addresses until `stopped`: what is kept is bounded by what came in [`CLEANUP`] and a
    /// burst.
    pub(crate) async fn clean_up(&self, stopped: &CancellationToken) {
        let mut ticks = interval(CLEANUP);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stopped.run_until_cancelled(ticks.tick()).await.is_some() {
            self.forget_quiet();
        }
    }

    fn forget_quiet(&self) {
        self.users.retain_recent();
        self.users.shrink_to_fit();
        if let Some(addresses) = &self.addresses {
            addresses.retain_recent();
            addresses.shrink_to_fit();
        }
    }
}

fn quota(rate: NonZeroU32) -> Quota {
    let burst = rate.saturating_mul(NonZeroU32::new(BURST_S).unwrap_or(NonZeroU32::MIN));
    Quota::per_second(rate).allow_burst(burst)
}

/// The limit of one socket.
pub(crate) struct SocketRateLimit(DefaultDirectRateLimiter);

impl SocketRateLimit {
    /// Counts one event.
    ///
    /// # Errors
    /// `TooMany` when there were too many.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        self.0.check().map_err(|refused| ApiError::TooMany(refused.wait_time_from(self.0.clock().now())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(requests_per_address: u32) -> RateLimits {
        RateLimits::new(NonZeroU32::MIN, NonZeroU32::new(requests_per_address))
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([198, 51, 100, last])
    }

    #[test]
    fn a_flood_from_one_address_is_refused_while_others_go_on() {
        let limits = limits(2);
        let admitted = (0..100).filter(|_| limits.check_address(address(1)).is_ok()).count();
        assert!((20..=21).contains(&admitted), "a burst of ten seconds, {admitted} in fact");
        assert!(matches!(limits.check_address(address(1)), Err(ApiError::TooMany(wait)) if wait.as_millis() <= 500));
        assert_eq!(limits.check_address(address(2)), Ok(()));
    }

    #[test]
    fn a_flood_of_one_user_is_refused_while_others_go_on() {
        let (limits, user) = (limits(0), UserId::new());
        let passed = (0..100).filter(|_| limits.check_user(user).is_ok()).count();
        assert!((10..=11).contains(&passed), "a burst of ten seconds, {passed} in fact");
        assert_eq!(limits.check_user(UserId::new()), Ok(()));
    }

    #[test]
    fn without_a_limit_nothing_is_refused_and_nothing_kept() {
        let limits = limits(0);
        assert!((0..10_000).all(|_| limits.check_address(address(1)).is_ok()));
    }

    #[test]
    fn an_address_that_is_quiet_is_forgotten() {
        let limits = limits(1000);
        (0..=255).for_each(|last| limits.check_address(address(last)).expect("admitted"));
        let addresses = limits.addresses.as_ref().expect("a limit");
        assert_eq!(addresses.len(), 256);
        // One request is forgiven after a thousandth of a second.
        std::thread::sleep(std::time::Duration::from_millis(2));
        limits.forget_quiet();
        assert_eq!(addresses.len(), 0);
    }
}
