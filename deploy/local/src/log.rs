//! The output of a service, line by line: the last lines are kept for error messages, all are given to a sink.

use parking_lot::Mutex;
use std::{
    collections::VecDeque,
    fmt,
    io::{self, BufRead, BufReader, PipeReader, PipeWriter},
    sync::Arc,
    thread,
};

/// How many lines are kept.
const KEPT: usize = 200;

/// Receives the name of a service and a line of its log.
pub type Sink = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// The log of one service, over all of its processes.
#[derive(Clone)]
pub(crate) struct Log {
    name: Arc<str>,
    lines: Arc<Mutex<VecDeque<String>>>,
    sink: Option<Sink>,
}

impl Log {
    pub(crate) fn new(name: &str, sink: Option<Sink>) -> Self {
        Self { name: name.into(), lines: Arc::default(), sink }
    }

    /// An end for a process to write to, read in a thread of its own until the process has ended.
    pub(crate) fn pipe(&self) -> io::Result<PipeWriter> {
        let (reader, writer) = io::pipe()?;
        let log = self.clone();
        thread::Builder::new().name(format!("log-{}", self.name)).spawn(move || log.read(reader))?;
        Ok(writer)
    }

    pub(crate) fn recent(&self) -> String {
        let lines = self.lines.lock();
        lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    fn read(&self, pipe: PipeReader) {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            self.add(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    }

    fn add(&self, line: &str) {
        if let Some(sink) = &self.sink {
            sink(&self.name, line);
        }
        let mut lines = self.lines.lock();
        if lines.len() == KEPT {
            lines.pop_front();
        }
        lines.push_back(line.to_owned());
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Log").field(&self.name).finish()
    }
}
