#![doc = include_str!("../README.md")]

pub mod admin;
pub mod bus;
pub mod commands;
pub mod ids;
pub mod notification;
pub mod presence;
pub mod process;
pub mod timing;

pub use bus::{lease, service_api, streams, subjects, trace_context};
pub use commands::{Command, Queue, Refusal, Reply, RoomCommand, RoomView, UserCommand, UserState, UserView};
pub use ids::{CommandId, GatewayId, MessageId, ProcessId, RoomId, UserId};
pub use notification::{Message, Notification};
pub use presence::{ConnectionStamp, ConnectionState, Register};
#[cfg(feature = "mongodb")]
pub use process::database;
pub use process::{health, metrics};
