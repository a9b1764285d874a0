//! Temporary folders that are deleted by their owner, or, if that was killed, by the next process.
//!
//! Each folder has a lock file beside it that its owner has locked. If it can be locked, the owner has ended.

use std::{
    fs::{self, DirBuilder, File},
    hash::{BuildHasher, Hasher, RandomState},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::Context;

/// Where downloaded servers and temporary folders are: `talk-to-me` in `$XDG_CACHE_HOME`, or in `~/.cache`.
pub fn cache_folder() -> PathBuf {
    std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|folder| folder.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("talk-to-me")
}

/// A new unique name.
pub(crate) fn random_name() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// A new empty folder, deleted when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    lock_path: PathBuf,
    _lock: File,
}

impl Scratch {
    /// Creates a folder, and deletes those whose owners were killed.
    pub fn new() -> anyhow::Result<Self> {
        let parent = cache_folder().join("scratch");
        Self::in_folder(&parent).with_context(|| format!("cannot create a folder in {}", parent.display()))
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn in_folder(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        sweep(parent)?;
        loop {
            let path = parent.join(random_name());
            let lock_path = path.with_extension("lock");
            let lock = File::create_new(&lock_path)?;
            // Another process may lock and delete it between these two calls.
            if lock.try_lock().is_err() || !lock_path.exists() {
                continue;
            }
            DirBuilder::new().mode(0o700).create(&path)?;
            return Ok(Self { path, lock_path, _lock: lock });
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be deleted now is deleted by the next process.
        let _ = fs::remove_dir_all(&self.path);
        let _ = fs::remove_file(&self.lock_path);
    }
}

fn sweep(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let lock_path = entry?.path();
        if lock_path.extension().is_none_or(|extension| extension != "lock") {
            continue;
        }
        let Ok(lock) = File::open(&lock_path) else { continue };
        if lock.try_lock().is_ok() {
            // Another process may delete the same one concurrently.
            let _ = fs::remove_dir_all(lock_path.with_extension(""));
            let _ = fs::remove_file(&lock_path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_an_owner_that_has_ended_is_deleted_and_that_of_a_running_one_is_kept() -> io::Result<()> {
        let home = Scratch::new().map_err(io::Error::other)?;
        let living = Scratch::in_folder(home.path())?;
        let dead = home.path().join("dead");
        fs::create_dir(&dead)?;
        fs::write(dead.with_extension("lock"), "")?;
        let _next = Scratch::in_folder(home.path())?;
        assert!(living.path().exists());
        assert!(!dead.exists() && !dead.with_extension("lock").exists());
        Ok(())
    }

    #[test]
    fn a_dropped_folder_is_deleted() -> anyhow::Result<()> {
        let scratch = Scratch::new()?;
        let path = scratch.path().to_owned();
        fs::write(path.join("file"), "text")?;
        drop(scratch);
        assert!(!path.exists());
        Ok(())
    }
}
