//! The promises, end to end: real servers, every service a process of its own, and people with
//! sockets.

mod conversation;
mod input;
mod matching;
mod operators;
mod secured;
mod support;
