//! The limit of open files: each socket is one.
//!
//! Runtimes of containers give a soft limit of 1,024, which old programs need, and a hard one far above it.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one. Where that is refused the soft one stays.
pub(super) fn raise() {
    match raised() {
        Ok(limit) => tracing::debug!(limit, "open files limit raised"),
        Err(error) => tracing::warn!("open files limit not raised: {error}"),
    }
}

fn raised() -> nix::Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}
