//! The promises, end to end: real servers, every service a process of its own, and people with
//! sockets.

mod addresses;
mod collector;
mod conversation;
mod input;
mod logs;
mod matching;
mod metrics;
mod operators;
mod promql;
mod secured;
mod support;
mod tls;
mod traces;
