//! What a fault works on: the stack, the traffic, the observers, and where the fault is recorded.

use std::sync::Arc;

use fastrand::Rng;
use local::{Service, Stack};

use super::{Fault, bus_proxy::BusProxy};
use crate::{
    history::{Event, History},
    observe::witness::Witness,
    traffic::Traffic,
};

/// What a fault works on.
pub(crate) struct Scene<'a> {
    /// The system.
    pub(crate) stack: &'a Stack,
    /// Between the first gateway and NATS.
    pub(crate) bus_proxy: &'a BusProxy,
    /// Decides which of several.
    pub(crate) rng: &'a mut Rng,
    /// Where the fault is recorded.
    pub(crate) history: &'a History,
    /// Sees the moment to strike.
    pub(crate) witness: &'a Witness,
    /// Makes that moment.
    pub(crate) traffic: &'a mut Traffic,
}

impl<'a> Scene<'a> {
    /// Any of these services.
    pub(crate) fn any(&mut self, services: &'a [Arc<Service>]) -> &'a Service {
        &services[self.rng.usize(..services.len())]
    }

    /// Records that a part is broken until the work is done.
    pub(crate) async fn broken<T>(
        &self,
        fault: Fault,
        target: &str,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        self.history.note(fault.name(), Event::FaultStarted { target: target.to_owned() });
        let done = work.await;
        self.history.note(fault.name(), Event::FaultEnded);
        done
    }
}
