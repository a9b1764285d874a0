//! The bus contract of *talk to me*, and what every service process does.
//!
//! Commands are asked for on JetStream and answered; live events are told on core NATS and
//! may be missed, because whoever missed one can read the state.
//!
//! ```text
//! gateway ──UserCommand──▶ TALK_USERS ────▶ matcher     talk.queue.requested.<user>, talk.user.*.<user>
//! gateway ──RoomCommand──▶ TALK_MESSAGES ─▶ chat-store  talk.message.*.<partition>.<room>
//! matcher ──RoomEnded────▶ TALK_MESSAGES ─▶ chat-store  talk.room.ended.<partition>.<room>
//! matcher, chat-store ──Reply──▶ gateway                talk.reply.<gateway>.<command>
//! matcher, chat-store, gateway ──Live──▶ gateway        talk.live.<kind>.<room>.<user>
//! gateway ──request──▶ matcher, chat-store              talk.read.user.<user>, talk.read.history.<room>
//! matcher, chat-store ──RoomEvent──▶ operators          talk.event.<kind>.<room>
//! operators ──request──▶ matcher, gateway               talk.read.waiting, talk.read.gateway.<gateway>
//! anybody, undecodable or failing again and again ──▶   talk.dead.<the subject it had>, in TALK_DEAD
//! ```
//!
//! - [`ids`]: who and what the messages speak of.
//! - [`subjects`]: every subject, built and parsed in one place.
//! - [`streams`]: streams, consumers and the bucket of leases.
//! - [`commands`] and [`events`]: the payloads; their golden files are in `tests/golden`.
//! - [`operators`] and [`micro`]: what operators are told and may ask, without content.
//! - [`bus`]: publishing and asking; `delivery`: decoding, replying, dead letters.
//! - [`lease`]: keys with a time to live, which say who lives and who ticks.
//! - [`connection`]: where NATS is, and as whom a process signs in.
//! - `database`: the same of MongoDB, for those that have the feature `mongodb`.
//! - [`service`] and [`health`]: configuration, log, signals and the health port; `files`: how many may be open.
//! - [`numbers`]: the metrics that every service has.
//! - [`traces`] and [`context`]: where spans go, and which trace a message belongs to.

pub mod bus;
pub mod commands;
pub mod connection;
pub mod context;
#[cfg(feature = "mongodb")]
pub mod database;
mod delivery;
pub mod events;
mod files;
pub mod health;
pub mod ids;
pub mod lease;
mod log;
pub mod micro;
pub mod numbers;
pub mod operators;
pub mod service;
pub mod streams;
pub mod subjects;
pub mod traces;

pub use commands::{Command, Place, Queue, Refusal, Reply, RoomCommand, RoomView, UserCommand, UserView};
pub use events::{Live, Message};
pub use ids::{CommandId, GatewayId, MessageId, ProcessId, RoomId, UserId};
