//! The checker: a history and the changes in MongoDB, against the promises. Pure, so that each rule is tested with a
//! history that breaks it.
//!
//! `evidence` puts together what is known of users, rooms and faults; each other file holds the rules of one promise.

mod coverage;
mod endings;
mod evidence;
mod findings;
mod ghosts;
mod goodbyes;
mod messages;
mod queueing;
mod returns;
mod rooms;
mod tabs;
mod waits;

pub use coverage::{ALWAYS, Coverage};
pub use findings::{Findings, Violation};
pub(crate) use tabs::ACROSS_A_HANGING_BUS;

use self::evidence::Evidence;
use crate::{history::Entry, observe::change::Fact};

/// Looks for violations. `left` is what was found after everybody had gone.
#[must_use]
pub fn check(entries: &[Entry], facts: &[Fact], left: &[String]) -> Findings {
    let evidence = Evidence::of(entries, facts);
    let mut found = Findings::default();
    rooms::check(&evidence, &mut found);
    ghosts::check(&evidence, &mut found);
    goodbyes::check(&evidence, &mut found);
    tabs::check(&evidence, &mut found);
    queueing::check(&evidence, &mut found);
    waits::check(&evidence, &mut found);
    returns::check(&evidence, &mut found);
    endings::check(&evidence, &mut found);
    messages::check(&evidence, &mut found);
    found.violations.extend(left.iter().map(|left| Violation {
        promise: "nothing is left",
        what: left.clone(),
        around: Vec::new(),
    }));
    found
}
