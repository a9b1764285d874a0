//! Connections that come and go in every order.

use crate::{
    config::ms,
    connection::{CLOCKS_AGREE, Gone, SAID_ANEW},
    user::{
        Changed, Stamp, State, TOMBSTONE, User,
        tests::{NOW, somebody, stamp},
    },
};
use proptest::prelude::*;
use proto::Refusal;
use std::time::Duration;

fn connect(user: &mut User, sequence: u64, reassert: Option<u64>) -> Result<Changed, Refusal> {
    user.connect(stamp(sequence), &"g".parse().expect("an id"), reassert)
}

fn disconnect(user: &mut User, sequence: u64, epoch: u64) -> Changed {
    user.disconnect(Gone { epoch, seen: Some(3), sequence, now: NOW, partner_hears_at: None })
}

fn waiting() -> User {
    User { state: State::Waiting, revision: 1, ..somebody() }
}

#[test]
fn a_late_disconnect_harms_no_newer_connection() {
    let mut user = waiting();
    connect(&mut user, 5, None).expect("connects");
    connect(&mut user, 7, None).expect("connects");
    assert!(!disconnect(&mut user, 8, 5));
    assert!(user.connected);
}

#[test]
fn a_connect_that_comes_after_its_own_disconnect_is_outdated() {
    for mut user in [waiting(), somebody()] {
        assert!(disconnect(&mut user, 6, 5));
        assert_eq!(connect(&mut user, 5, None), Err(Refusal::Outdated));
        assert!(!user.connected);
    }
}

#[test]
fn a_connection_that_is_gone_before_anybody_heard_of_it_harms_no_older_one() {
    let mut user = waiting();
    connect(&mut user, 5, None).expect("connects");
    assert!(disconnect(&mut user, 8, 7));
    assert!(user.connected);
    assert_eq!(connect(&mut user, 7, None), Err(Refusal::Outdated));
    assert!(disconnect(&mut user, 9, 5));
    assert_eq!(connect(&mut user, 7, None), Err(Refusal::Outdated), "nor after it");
}

#[test]
fn what_was_said_before_and_hung_replaces_no_newer_connection() {
    let told = ms(CLOCKS_AGREE) + 1;
    let hung = |sequence, said_at| Stamp { said_at, taken_at: said_at + told, ..stamp(sequence) };
    let gateway = "g".parse().expect("an id");
    let mut user = waiting();
    connect(&mut user, 5, None).expect("connects");
    assert_eq!(user.connect(hung(7, NOW - 1), &gateway, None), Err(Refusal::Outdated));
    assert!(disconnect(&mut user, 8, 7), "is taken back");
    assert!(user.connected);
    let skewed = Stamp { said_at: NOW - told + 1, ..stamp(9) };
    assert_eq!(user.connect(skewed, &gateway, None), Ok(true), "by a clock that is a little late");
    assert_eq!(user.connect(hung(10, NOW), &gateway, None), Ok(true), "said after it");
}

#[test]
fn what_was_said_long_ago_and_is_replayed_connects_nobody() {
    let told = ms(SAID_ANEW) + 1;
    let replayed = Stamp { said_at: NOW - told, ..stamp(5) };
    assert_eq!(waiting().connect(replayed, &"g".parse().expect("an id"), None), Err(Refusal::Failed));
}

#[test]
fn a_connection_that_was_sent_nothing_makes_nothing_unseen() {
    let mut user = User { state: State::Paired, ..waiting() };
    connect(&mut user, 5, None).expect("connects");
    assert!(disconnect(&mut user, 6, 5));
    let nothing = Gone { epoch: 7, seen: Some(0), sequence: 8, now: NOW, partner_hears_at: None };
    assert!(user.disconnect(nothing));
    assert_eq!(user.seen, 3);
}

#[test]
fn the_same_connect_again_changes_nothing() {
    let mut user = somebody();
    assert_eq!(connect(&mut user, 5, None), Ok(true));
    assert_eq!(connect(&mut user, 5, None), Ok(false));
}

#[test]
fn an_idle_user_without_a_connection_is_erased() {
    let mut user = somebody();
    connect(&mut user, 5, None).expect("connects");
    assert!(disconnect(&mut user, 6, 5));
    assert_eq!((user.state, user.erased_at), (State::Gone, Some(NOW)));
}

#[test]
fn an_old_connect_does_not_revive_somebody_who_may_be_erased() {
    let late = Stamp { age: TOMBSTONE + Duration::from_millis(1), ..stamp(5) };
    let gateway = "g".parse().expect("an id");
    assert_eq!(somebody().connect(late, &gateway, None), Err(Refusal::Failed));
    assert_eq!(waiting().connect(late, &gateway, None), Ok(true));
}

/// After an outage all commands of somebody who has left may come again, in any order.
#[test]
fn an_old_connect_does_not_revive_somebody_whose_leave_came_again_before_it() {
    let again = |sequence| Stamp { age: TOMBSTONE + Duration::from_millis(1), ..stamp(sequence) };
    let mut user = User { revision: 1, ..somebody() };
    assert_eq!(user.leave(again(8)), Ok(true));
    assert_eq!(user.connect(again(5), &"g".parse().expect("an id"), None), Err(Refusal::Failed));
}

#[test]
fn a_reassertion_is_believed_only_if_no_newer_connection_has_come() {
    let mut user = waiting();
    connect(&mut user, 5, None).expect("connects");
    user.disconnect(Gone { epoch: 5, seen: None, sequence: 0, now: NOW, partner_hears_at: None });
    assert_eq!(connect(&mut user, 7, Some(5)), Ok(true));
    assert!(user.connected);
    connect(&mut user, 8, None).expect("connects elsewhere");
    assert_eq!(connect(&mut user, 9, Some(7)), Err(Refusal::Outdated));
}

#[test]
fn a_gateway_that_missed_the_answer_can_reassert_again_and_disconnect() {
    let mut user = waiting();
    connect(&mut user, 5, None).expect("connects");
    connect(&mut user, 7, Some(5)).expect("is reasserted");
    assert_eq!(connect(&mut user, 8, Some(5)), Ok(true));
    assert!(disconnect(&mut user, 9, 5));
    assert!(!user.connected);
}

#[test]
fn a_reassertion_that_comes_after_the_disconnect_that_followed_it_is_outdated() {
    let mut user = waiting();
    connect(&mut user, 5, None).expect("connects");
    assert!(disconnect(&mut user, 8, 5));
    assert_eq!(connect(&mut user, 7, Some(5)), Err(Refusal::Outdated));
}

/// `(true, n)` connects with epoch `n`, `(false, n)` disconnects it. The connection that is left.
fn play(steps: &[(bool, u64)]) -> Option<u64> {
    let mut user = waiting();
    for (up, epoch) in steps {
        if *up {
            let _outdated = connect(&mut user, *epoch, None);
        } else {
            disconnect(&mut user, 100 + epoch, *epoch);
        }
    }
    user.connected.then_some(user.epoch)
}

proptest! {
    #[test]
    fn in_any_order_and_number_who_is_gone_is_gone_and_who_is_newest_stays(
        gone in prop::collection::vec(any::<bool>(), 1..5),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
    ) {
        let ups = (1..).zip(&gone).map(|(epoch, _)| (true, epoch));
        let downs = (1..).zip(&gone).filter(|(_, gone)| **gone).map(|(epoch, _)| (false, epoch));
        let mut all: Vec<(bool, u64)> = ups.chain(downs).collect();
        all.sort_by_key(|(up, epoch)| (*epoch, !up));
        let mut shuffled: Vec<(bool, u64)> = order.iter().map(|index| *index.get(&all)).collect();
        shuffled.extend(all.iter().rev());
        let (newest, gone_of) = (gone.len() as u64, |epoch: u64| all.contains(&(false, epoch)));
        for steps in [&all, &shuffled] {
            let left = play(steps);
            prop_assert!(!left.is_some_and(gone_of), "{left:?} is gone");
            prop_assert!(gone_of(newest) || left == Some(newest), "{left:?} is not the newest");
        }
    }
}
