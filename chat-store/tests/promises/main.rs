//! The chat-store's promises, against real NATS and MongoDB: commands go in over the bus, replies and notifications come
//! out, and the database shows what is stored.

mod erasing;
mod failing;
mod history;
mod limits;
mod order;
mod replica;
mod rivals;
mod storing;
mod taking_over;
mod world;
