//! What the sessions of a gateway make of a matcher and a bus that are unavailable for a while, and of clients that do not
//! read.

mod claim;
mod outage;
mod resync;
mod scene;
mod slow;
