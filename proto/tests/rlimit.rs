//! A service raises its limit of open files to the hard limit of its process.

use clap::Parser;
use proto::process::{Common, ServiceConfig};
use rlimit::Resource;
use std::sync::mpsc;

/// A service without options of its own.
#[derive(Parser)]
struct Config {
    #[command(flatten)]
    common: Common,
}

impl ServiceConfig for Config {
    fn common(&self) -> &Common {
        &self.common
    }

    fn instance(&self) -> String {
        "service-1".into()
    }
}

#[test]
fn a_service_that_starts_with_a_low_limit_of_open_files_raises_it_to_the_hard_limit() {
    let (_, hard) = Resource::NOFILE.get().expect("limits");
    assert!(hard > 256, "nothing to raise: {hard}");
    Resource::NOFILE.set(256, hard).expect("a lower limit");
    let (sender, receiver) = mpsc::channel();
    proto::process::main::<Config, _, _>(["service".into()], |_, _| async move {
        sender.send(Resource::NOFILE.get()?)?;
        Ok(())
    });
    assert_eq!(receiver.recv().expect("it ran"), (hard, hard));
}
