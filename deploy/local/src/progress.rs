//! The progress of a stack, line by line, for its sink: what is started, what is ready, what exited.

use crate::log::Sink;

/// The name of the stack's own lines among those of the services.
const NAME: &str = "local";

/// Where the stack reports its progress; cheap to clone.
#[derive(Clone)]
pub(crate) struct Progress(Option<Sink>);

impl Progress {
    pub(crate) fn new(sink: Option<Sink>) -> Self {
        Self(sink)
    }

    pub(crate) fn line(&self, text: &str) {
        if let Some(sink) = &self.0 {
            sink(NAME, text);
        }
    }
}
