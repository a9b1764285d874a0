#![doc = include_str!("../README.md")]

pub mod checker;
pub mod faults;
pub mod history;
pub mod observe;
pub mod report;
pub mod run;
pub mod traffic;
