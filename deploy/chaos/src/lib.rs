//! Breaks parts of the whole system under traffic, and checks what people saw against the promises.
//!
//! ```text
//! run ─▶ a stack of real processes: 2 gateways, 2 matchers, 3 chat-stores, 3 NATS nodes, 3 MongoDB members
//!   ├─ people    life, connecting, talking: simulated people, who note in the `history` what they did and saw
//!   ├─ faults    what is killed, paused, drained, one after the other, as the seed decides
//!   ├─ witness   every change in MongoDB, in its order
//!   ├─ leftovers what collections, streams and metrics hold when everybody has gone
//!   └─ checker   history and facts ──▶ violations, each with the events around it; pure
//!        ├─ known     people, connections and rooms, put together from both
//!        ├─ rooms     one open room, both told, no ghost, nobody waits for ever, nobody left alone
//!        └─ messages  kept, received, not twice, in one order, without a gap, erased
//! ```
//!
//! `cargo run -p chaos -- --seed 1 --minutes 10` does it all.

pub mod checker;
mod connecting;
pub mod faults;
pub mod history;
mod known;
mod leftovers;
mod life;
mod messages;
pub mod people;
mod rooms;
pub mod run;
mod talking;
pub mod witness;
