//! How often commands have failed by themselves. The bus counts deliveries, also those that failed because a server was
//! away: after an election of some seconds a leave would be given up.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

/// The most commands to remember; one that another replica has finished is never forgotten otherwise.
const KEPT: usize = 1000;

/// What failed in this process, by the command's stream sequence.
#[derive(Default)]
pub(crate) struct Failures(Mutex<BTreeMap<u64, i64>>);

impl Failures {
    /// One more failure; says how many there were.
    pub(crate) fn note(&self, sequence: u64) -> i64 {
        let mut failed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let times = failed.entry(sequence).or_default();
        *times += 1;
        let times = *times;
        if failed.len() > KEPT {
            failed.pop_first();
        }
        times
    }

    /// It is done with.
    pub(crate) fn forget(&self, sequence: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&sequence);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_has_its_own_failures_until_it_is_done_with() {
        let failures = Failures::default();
        assert_eq!([1, 1, 2, 1].map(|sequence| failures.note(sequence)), [1, 2, 1, 3]);
        failures.forget(1);
        assert_eq!(failures.note(1), 1);
    }

    #[test]
    fn what_is_never_done_with_here_does_not_add_up() {
        let failures = Failures::default();
        for sequence in 0..2000 {
            failures.note(sequence);
        }
        assert_eq!(failures.0.lock().expect("no panic").len(), KEPT);
    }
}
