//! What is seen from outside of the clients: every change in MongoDB, what is left in the end, what reconciliation
//! removed, when the machine itself stood still; and commands that have to become dead letters.

pub mod change;
pub(crate) mod leftovers;
pub(crate) mod machine;
pub(crate) mod orphans;
pub(crate) mod poison;
pub mod witness;
