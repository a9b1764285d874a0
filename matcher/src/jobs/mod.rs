//! What the leader does: it matches, sweeps, reconciles and measures. One matcher holds the lease; two by mistake do no
//! harm, since every write is conditional.

pub(crate) mod gauges;
pub(crate) mod leader;
mod match_round;
mod reconcile;
mod sweep;
