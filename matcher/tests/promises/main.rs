//! What the matcher promises, against real NATS and MongoDB: commands go in over the bus,
//! answers and live events come out, and the database shows what is left.

mod connecting;
mod ending;
mod failing;
mod gateway;
mod matching;
mod outages;
mod person;
mod reconciling;
mod replicas;
mod returning;
mod world;
