//! A session: one socket, the user that it speaks for, and what both sides are sent. [`task`] is its loop, [`state`] its
//! [`parts`]. What clients request is in [`requests`], what the bus brings in [`notifications`], what follows of either
//! in [`entering`]; [`identifying`] begins and ends to speak for a user; [`replay`] sends history; [`claiming`] and
//! [`resync`] agree with the matcher; [`registry`] knows all sessions, and drains them.

pub(crate) mod claiming;
pub(crate) mod entering;
pub(crate) mod identifying;
pub(crate) mod notifications;
pub(crate) mod parts;
pub(crate) mod registry;
pub(crate) mod replay;
pub(crate) mod requests;
pub(crate) mod resync;
pub(crate) mod state;
pub(crate) mod task;
