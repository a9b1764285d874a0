//! A service may open as many files as the machine lets it, whatever it was started with.

use clap::Parser;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use proto::service::{Common, ServiceConfig};
use std::sync::mpsc;

/// A service that is told nothing of its own.
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
fn a_service_that_starts_with_few_files_takes_as_many_as_it_may() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("limits");
    assert!(hard > 256, "nothing to raise: {hard}");
    setrlimit(Resource::RLIMIT_NOFILE, 256, hard).expect("a lower limit");
    let (tell, told) = mpsc::channel();
    proto::service::main::<Config, _, _>(["service".into()], |_, _| async move {
        tell.send(getrlimit(Resource::RLIMIT_NOFILE)?)?;
        Ok(())
    });
    assert_eq!(told.recv().expect("it ran"), (hard, hard));
}
