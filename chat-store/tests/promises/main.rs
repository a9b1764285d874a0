//! What the chat-store promises, against real NATS and MongoDB: commands go in over the bus,
//! answers and live events come out, and the database shows what is kept.

mod ending;
mod failing;
mod history;
mod order;
mod rivals;
mod storing;
mod taking_over;
mod world;
