//! The limit of open files: each socket is one.
//!
//! Container runtimes give a soft limit of 1,024, which old programs need, and a hard limit far above it.

/// Raises the soft limit of open files to the hard limit. Where that is refused the soft limit stays.
pub(super) fn raise() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::debug!(limit, "open files limit raised"),
        Err(error) => tracing::warn!("open files limit not raised: {error}"),
    }
}
