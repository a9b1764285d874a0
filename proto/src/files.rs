//! How many files a process may have open at once: each socket is one.
//!
//! Runtimes of containers give a soft limit of 1,024, which old programs need, and a hard one that is far above.
//! Whoever wants more has to ask for it.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one. Where that is refused the soft one stays.
pub(crate) fn raise_limit() {
    match raised() {
        Ok(limit) => tracing::debug!(limit, "files may be open"),
        Err(error) => tracing::warn!("the limit of open files stays as it is: {error}"),
    }
}

fn raised() -> nix::Result<u64> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(hard)
}
