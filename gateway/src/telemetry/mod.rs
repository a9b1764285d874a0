//! What operators see of a gateway beside its log: [`metrics`] and the spans of traces ([`spans`]).

pub(crate) mod metrics;
pub(crate) mod spans;
