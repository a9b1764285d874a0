//! Percentiles, and what a process used.

use hdrhistogram::Histogram;
use local::{Service, Stack};
use std::{fs, sync::Arc, time::Duration};

/// Longer times count as this: a minute.
const LONGEST_US: u64 = 60_000_000;

/// Times, in microseconds.
pub(crate) struct Times(Histogram<u64>);

impl Times {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, LONGEST_US, 3)?))
    }

    pub(crate) fn note(&mut self, time: Duration) {
        self.0.saturating_record(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }

    /// In milliseconds.
    pub(crate) fn at(&self, quantile: f64) -> f64 {
        Duration::from_micros(self.0.value_at_quantile(quantile)).as_secs_f64() * 1000.0
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "p50 {:6.2} ms   p99 {:6.2} ms", self.at(0.5), self.at(0.99))
    }
}

/// CPU that all processes of a kind have used so far, in seconds.
pub(crate) fn cpu_seconds(services: &[Arc<Service>]) -> f64 {
    services.iter().filter_map(|service| cpu_of(service.pid()?)).sum()
}

/// CPU of all services, by kind.
pub(crate) fn cpu(stack: &Stack) -> [(&'static str, f64); 3] {
    [
        ("gateway", cpu_seconds(stack.gateways())),
        ("matcher", cpu_seconds(stack.matchers())),
        ("chat-store", cpu_seconds(stack.chat_stores())),
    ]
}

fn cpu_of(pid: u32) -> Option<f64> {
    const TICKS_PER_SECOND: f64 = 100.0; // Linux' USER_HZ, on every architecture that we run on
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces; what follows does not.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
}
