//! Breaks parts of the whole system under traffic, and checks what people saw against the promises.
//!
//! ```text
//! run ─▶ a stack of real processes: 2 gateways, 2 matchers, 3 chat-stores, 3 NATS nodes, 3 MongoDB members
//!   ├─ people    life, connecting, talking; old, posting: simulated people, who note in the `history` what they did and saw
//!   ├─ faults    what is killed, paused, drained, one after the other, as the seed decides; striking, outages: how;
//!   │            aim: at which moment; standstill: the machine's own
//!   ├─ poison    commands that nobody can decode or apply, all the time
//!   ├─ witness   every change in MongoDB, in its order
//!   ├─ leftovers what collections and streams hold when everybody has gone, and what a sweep removed
//!   └─ checker   history and facts ──▶ violations, each with the events around it; pure
//!        ├─ known, somebody      rooms, people and their connections, put together from both
//!        ├─ disturbance          what a fault excuses, and whom
//!        ├─ rooms, ghosts, waits one open room, both told, no ghost offered, nobody waits for ever
//!        ├─ returns, endings     back in the room, what the partner hears; ends for a reason, nobody left alone, erased
//!        ├─ places, messages     stored once, kept, received, not twice, in one order, without a gap
//!        └─ coverage             how often each could have been seen to be broken: never is a violation, too
//! ```
//!
//! `cargo run -p chaos -- --seed 1 --minutes 10` does it all.

mod aim;
pub mod checker;
mod connecting;
pub mod coverage;
mod disturbance;
mod endings;
pub mod faults;
mod ghosts;
pub mod history;
mod known;
mod leftovers;
mod life;
mod messages;
mod old;
mod outages;
pub mod people;
mod places;
mod poison;
mod posting;
mod returns;
mod rooms;
pub mod run;
mod somebody;
mod standstill;
mod striking;
mod talking;
mod waits;
pub mod witness;
