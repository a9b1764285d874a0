//! The newest connection of a user wins: it is never replaced by an older one, and older tabs fall silent.

use super::{
    evidence::{Connection, Evidence, User, disturbance::Part},
    findings::Findings,
};
use crate::{
    faults::{Fault, SUSPENDABLE},
    history::{Event, Ms},
};

/// How soon an older tab is replaced or closed.
const REPLACED: Ms = 5_000;

pub(crate) fn check(evidence: &Evidence<'_>, found: &mut Findings) {
    for (name, user) in &evidence.users {
        never_replaced_by_an_older(evidence, name, user, found);
        for (place, older) in user.connections.iter().enumerate() {
            if let Some(newer) = user.connections.get(place + 1) {
                older_falls_silent(evidence, name, older, newer, found);
            }
        }
    }
}

/// Only an attempt that started later replaces a connection, whatever older ones come to.
fn never_replaced_by_an_older(evidence: &Evidence<'_>, name: &str, user: &User<'_>, found: &mut Findings) {
    for entry in &user.entries {
        let Event::Replaced { connection } = entry.what else { continue };
        let replaced = user.connections.iter().find(|known| known.number == connection);
        let since = replaced.map_or(Ms::MAX, |known| known.connecting);
        let newer = |started: Ms| started > since && started <= entry.at;
        let connected = user.connections.iter().any(|known| newer(known.connecting));
        if !connected && !user.failed.iter().any(|(started, _)| newer(*started)) {
            let what =
                format!("{name} was notified that a newer connection replaces {connection}, which is the newest");
            found.broken(evidence, "the newest connection wins", entry.at, &[name], what);
        }
    }
}

/// Of two tabs that are open at the same time the older one is replaced, or closed by its gateway.
fn older_falls_silent(
    evidence: &Evidence<'_>,
    name: &str,
    older: &Connection,
    newer: &Connection,
    found: &mut Findings,
) {
    if older.silent || older.to <= newer.from {
        return;
    }
    found.judged("the newest connection wins", newer.from);
    if hung_with_its_bus(evidence, older, newer) {
        found.judged(ACROSS_A_HANGING_BUS, newer.from);
    }
    let replaced = evidence
        .of_user(name)
        .iter()
        .find(|entry| matches!(entry.what, Event::Replaced { connection } if connection == older.number));
    let silent = replaced.map_or(older.to, |replaced| replaced.at.min(older.to)).min(newer.to);
    let parts = [Part::Matcher, older.part(), newer.part()];
    if evidence.faults.undisturbed(&parts, newer.from, silent) > REPLACED {
        let what = format!("connection {} of {name} was not replaced by {}", older.number, newer.number);
        found.broken(evidence, "the newest connection wins", silent, &[name], what);
    }
}

/// The older tab was opened while its gateway's bus was suspended, and the newer one before that was over.
fn hung_with_its_bus(evidence: &Evidence<'_>, older: &Connection, newer: &Connection) -> bool {
    let mut suspended = evidence.faults.all().iter().filter(|fault| fault.fault == Fault::SuspendBus.name());
    older.gateway == SUSPENDABLE
        && newer.gateway != older.gateway
        && suspended.any(|fault| fault.started <= older.from && newer.from < fault.ended)
}

/// A tab on a gateway whose bus hangs, and a newer one elsewhere.
pub(crate) const ACROSS_A_HANGING_BUS: &str = "two tabs across a hanging bus";
