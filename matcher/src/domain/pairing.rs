//! Who is matched with whom: pure, so that every promise about it is a property that can be tested. `jobs::match_round`
//! reads the candidates and claims what this plans.

use crate::domain::{ms, user::Revision};
use proto::{Queue, Register, UserId};
use serde::Deserialize;
use std::time::Duration;

/// A waiting user, as they were read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Candidate {
    #[serde(rename = "_id")]
    pub(crate) user: UserId,
    pub(crate) queue: Queue,
    /// When they queued, in milliseconds since 1970.
    pub(crate) queued_at: i64,
    /// Not to be matched before, in milliseconds since 1970.
    pub(crate) ready_at: i64,
    /// The queue command's sequence in the stream: decides between two of one millisecond.
    pub(crate) last_queue_seq: u64,
    /// The version of the document.
    pub(crate) revision: Revision,
    /// The newest connection.
    pub(crate) connection: Register,
    /// The queue until now, when this plan moves them to talk.
    #[serde(default)]
    pub(crate) moved_from: Option<Queue>,
}

impl Candidate {
    /// Longest wait first; the id only makes the order total.
    fn order(&self) -> (i64, u64, UserId) {
        (self.queued_at, self.last_queue_seq, self.user)
    }

    /// How long they have waited, in milliseconds.
    pub(crate) fn waited_ms(&self, now: i64) -> i64 {
        (now - self.queued_at).max(0)
    }

    fn moved_to_talk(self) -> Self {
        Self { moved_from: Some(self.queue), queue: Queue::Talk, ..self }
    }
}

/// Two who fit; the one who waited longer first.
pub(crate) type Pair = [Candidate; 2];

/// What a round of matching is going to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Longest wait first.
    pub(crate) pairs: Vec<Pair>,
    /// Who found no partner; with `moved_from` if they are moved to talk.
    pub(crate) left: Vec<Candidate>,
}

/// Pairs everybody who can be paired: vent with listen, then talk with talk, together with those who waited too long in
/// the other two queues. Longest wait first everywhere.
pub(crate) fn plan(mut waiting: Vec<Candidate>, now: i64, fallback_after: Duration) -> Plan {
    waiting.sort_unstable_by_key(Candidate::order);
    let [mut vent, mut listen, mut talk] = Queue::ALL.map(|queue| of(&waiting, queue));
    let fitting = vent.len().min(listen.len());
    let mut pairs: Vec<Pair> = vent.drain(..fitting).zip(listen.drain(..fitting)).map(ordered).collect();

    // One of the two is empty now.
    let too_long = |w: &Candidate| w.waited_ms(now) >= ms(fallback_after);
    let (late, mut left): (Vec<_>, Vec<_>) = vent.into_iter().chain(listen).partition(too_long);
    talk.extend(late.into_iter().map(Candidate::moved_to_talk));
    talk.sort_unstable_by_key(Candidate::order);

    let mut talk = talk.into_iter();
    while let Some(first) = talk.next() {
        match talk.next() {
            Some(second) => pairs.push([first, second]),
            None => left.push(first),
        }
    }
    pairs.sort_unstable_by_key(|[first, _]| first.order());
    Plan { pairs, left }
}

impl Plan {
    /// Keeps pairs waiting in which somebody is not ready yet, and returns when the first of them is. They are not paired
    /// with others instead: the longest wait would otherwise lose its place to clients that came by socket.
    pub(crate) fn hold_back_unready(&mut self, now: i64) -> Option<i64> {
        let unready = |pair: &mut Pair| pair.iter().any(|candidate| candidate.ready_at > now);
        let held_back: Vec<Pair> = self.pairs.extract_if(.., unready).collect();
        let ready_at = held_back.iter().map(|pair| pair[0].ready_at.max(pair[1].ready_at)).min();
        self.left.extend(held_back.into_iter().flatten());
        ready_at
    }
}

fn of(waiting: &[Candidate], queue: Queue) -> Vec<Candidate> {
    waiting.iter().filter(|w| w.queue == queue).cloned().collect()
}

fn ordered((a, b): (Candidate, Candidate)) -> Pair {
    if a.order() <= b.order() { [a, b] } else { [b, a] }
}

#[cfg(test)]
impl Candidate {
    /// The `sequence`th to queue.
    pub(crate) fn for_test(sequence: u64, queue: Queue, queued_at: i64) -> Self {
        let stamp = crate::domain::tests::stamp(sequence);
        Self {
            user: format!("{sequence:032x}").parse().expect("a uuid"),
            queue,
            queued_at,
            ready_at: 0,
            last_queue_seq: sequence,
            revision: Revision::new(),
            connection: Register::open(stamp),
            moved_from: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Queue::{Listen, Talk, Vent};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    const NOW: i64 = 1_000_000;
    const FALLBACK: Duration = Duration::from_secs(10);

    /// The `n`th to queue, who has waited for so many milliseconds.
    fn person(n: usize, (queue, waited): (Queue, i64)) -> Candidate {
        Candidate::for_test(n as u64 + 1, queue, NOW - waited)
    }

    fn people(list: &[(Queue, i64)]) -> Vec<Candidate> {
        list.iter().enumerate().map(|(n, entry)| person(n, *entry)).collect()
    }

    fn number(waiting: &Candidate) -> usize {
        usize::try_from(waiting.last_queue_seq).expect("small") - 1
    }

    #[test]
    fn named_cases() {
        type Case = (&'static str, &'static [(Queue, i64)], &'static [[usize; 2]], &'static [usize]);
        let cases: &[Case] = &[
            ("nobody", &[], &[], &[]),
            ("one alone", &[(Talk, 1)], &[], &[0]),
            ("vent meets listen", &[(Vent, 2), (Listen, 1)], &[[0, 1]], &[]),
            ("the longer wait comes first", &[(Vent, 1), (Listen, 2)], &[[1, 0]], &[]),
            ("talk meets talk", &[(Talk, 2), (Talk, 1)], &[[0, 1]], &[]),
            ("vent does not meet vent", &[(Vent, 2), (Vent, 1)], &[], &[0, 1]),
            ("vent does not meet talk", &[(Vent, 2), (Talk, 1)], &[], &[0, 1]),
            (
                "even counts, where the original's precedence slip paired nobody",
                &[(Vent, 4), (Vent, 3), (Listen, 2), (Listen, 1)],
                &[[0, 2], [1, 3]],
                &[],
            ),
            ("odd talk leaves the shortest wait", &[(Talk, 3), (Talk, 2), (Talk, 1)], &[[0, 1]], &[2]),
            ("of many in vent the longest wait is met", &[(Vent, 1), (Vent, 9), (Listen, 5)], &[[1, 2]], &[0]),
            ("too long in vent meets talk", &[(Vent, 10_000), (Talk, 1)], &[[0, 1]], &[]),
            ("not yet too long", &[(Vent, 9_999), (Talk, 1)], &[], &[0, 1]),
            ("two too long in vent meet each other", &[(Vent, 11_000), (Vent, 10_000)], &[[0, 1]], &[]),
            ("a listener is met before the fallback", &[(Vent, 20_000), (Listen, 1), (Talk, 1)], &[[0, 1]], &[2]),
            ("the moved one has the longest wait in talk", &[(Talk, 5), (Talk, 4), (Vent, 10_000)], &[[2, 0]], &[1]),
            ("one moves and finds nobody", &[(Listen, 10_000)], &[], &[0]),
            ("one millisecond, first come first", &[(Talk, 1), (Talk, 1), (Talk, 1)], &[[0, 1]], &[2]),
        ];
        for (name, list, pairs, left) in cases {
            let plan = plan(people(list), NOW, FALLBACK);
            let found: Vec<[usize; 2]> = plan.pairs.iter().map(|pair| pair.each_ref().map(number)).collect();
            let mut rest: Vec<usize> = plan.left.iter().map(number).collect();
            rest.sort_unstable();
            assert_eq!((&found[..], &rest[..]), (*pairs, *left), "{name}");
        }
    }

    #[test]
    fn a_candidate_who_is_moved_is_marked_with_the_queue_they_came_from() {
        let plan = plan(people(&[(Listen, 10_000), (Vent, 1)]), NOW, Duration::from_secs(60));
        assert!(plan.pairs[0].iter().all(|w| w.moved_from.is_none()));
        let plan = super::plan(people(&[(Listen, 10_000)]), NOW, FALLBACK);
        assert_eq!((plan.left[0].queue, plan.left[0].moved_from), (Talk, Some(Listen)));
    }

    fn anybody() -> impl Strategy<Value = (Queue, i64)> {
        (prop::sample::select(Queue::ALL.to_vec()), 0_i64..20_000)
    }

    fn crowd() -> impl Strategy<Value = Vec<Candidate>> {
        prop::collection::vec(anybody(), 0..60).prop_map(|list| people(&list))
    }

    #[test]
    fn the_longest_wait_is_not_passed_over_while_it_is_not_ready() {
        let mut early = person(0, (Vent, 120));
        early.ready_at = NOW + 30;
        let people = vec![early, person(1, (Vent, 100)), person(2, (Listen, 50))];
        let mut plan = plan(people.clone(), NOW, FALLBACK);
        assert_eq!(plan.hold_back_unready(NOW), Some(NOW + 30));
        assert!(plan.pairs.is_empty());
        assert_eq!(plan.left.len(), 3);
        let mut later = super::plan(people, NOW + 30, FALLBACK);
        assert_eq!(later.hold_back_unready(NOW + 30), None);
        let pair = later.pairs.first().expect("a pair");
        assert_eq!([pair[0].last_queue_seq, pair[1].last_queue_seq], [1, 3]);
    }

    proptest! {
        #[test]
        fn everybody_is_paired_once_or_left_once(crowd in crowd()) {
            let plan = plan(crowd.clone(), NOW, FALLBACK);
            let placed: Vec<UserId> = plan.pairs.iter().flatten().chain(&plan.left).map(|w| w.user).collect();
            let unique: BTreeSet<UserId> = placed.iter().copied().collect();
            prop_assert_eq!(placed.len(), unique.len());
            prop_assert_eq!(unique, crowd.iter().map(|w| w.user).collect::<BTreeSet<_>>());
        }

        #[test]
        fn only_queues_that_fit_are_paired(crowd in crowd()) {
            for [a, b] in plan(crowd, NOW, FALLBACK).pairs {
                prop_assert_eq!(a.queue.fits(), b.queue);
            }
        }

        #[test]
        fn nobody_is_left_beside_somebody_who_fits(crowd in crowd()) {
            let left = plan(crowd, NOW, FALLBACK).left;
            let count = |queue| left.iter().filter(|w| w.queue == queue).count();
            prop_assert!(count(Talk) <= 1);
            prop_assert!(count(Vent) == 0 || count(Listen) == 0);
        }

        #[test]
        fn the_longest_wait_of_a_queue_is_paired_first(crowd in crowd()) {
            let plan = plan(crowd, NOW, FALLBACK);
            for left in &plan.left {
                for paired in plan.pairs.iter().flatten().filter(|w| w.queue == left.queue) {
                    prop_assert!(paired.order() < left.order());
                }
            }
            prop_assert!(plan.pairs.is_sorted_by_key(|[first, _]| first.order()));
            prop_assert!(plan.pairs.iter().all(|[first, second]| first.order() < second.order()));
        }

        #[test]
        fn exactly_those_move_who_waited_too_long_and_found_nobody_who_fits(crowd in crowd()) {
            let plan = plan(crowd, NOW, FALLBACK);
            for w in plan.pairs.iter().flatten().chain(&plan.left) {
                let too_long = w.waited_ms(NOW) >= ms(FALLBACK);
                match w.moved_from {
                    Some(from) => prop_assert!(too_long && from != Talk && w.queue == Talk),
                    None => prop_assert!(w.queue == Talk || !too_long || !plan.left.contains(w)),
                }
            }
        }

        #[test]
        fn the_order_of_reading_does_not_matter(crowd in crowd().prop_shuffle()) {
            let mut sorted = crowd.clone();
            sorted.sort_by_key(Candidate::order);
            prop_assert_eq!(plan(crowd, NOW, FALLBACK), plan(sorted, NOW, FALLBACK));
        }
    }
}
