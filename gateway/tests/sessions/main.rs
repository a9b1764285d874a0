//! What the sessions of a gateway make of a matcher, a bus and a process that are away for a while.

mod reasserting;
mod replaced;
mod scene;
mod standstill;
mod waiting;
