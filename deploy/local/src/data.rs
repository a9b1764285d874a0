//! The data folder of a run: locked while it is in use. It holds the data of NATS and MongoDB, and the keys, so that
//! secrets stay valid in the next run.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use uuid::Uuid;

/// A locked data folder; the lock ends with this.
#[derive(Debug)]
pub(crate) struct Data {
    path: PathBuf,
    _lock: File,
}

impl Data {
    pub(crate) fn open(path: PathBuf) -> anyhow::Result<Self> {
        // It holds messages and keys.
        let folder = DirBuilder::new().recursive(true).mode(0o700).create(&path);
        folder.with_context(|| format!("cannot create {}", path.display()))?;
        let lock = File::create(path.join("lock"))?;
        ensure!(lock.try_lock().is_ok(), "{} is in use by another run", path.display());
        Ok(Self { path, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The key that signs secrets.
    pub(crate) fn secret_key(&self) -> anyhow::Result<String> {
        self.key("secret-key")
    }

    /// The key that the passwords of NATS and MongoDB are derived from.
    pub(crate) fn access_key(&self) -> anyhow::Result<String> {
        self.key("access-key")
    }

    /// A key that the first run with this folder generates.
    fn key(&self, name: &str) -> anyhow::Result<String> {
        let file = self.path.join(name);
        if let Ok(key) = fs::read_to_string(&file)
            && !key.is_empty()
        {
            return Ok(key);
        }
        let key = random_key();
        let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&file);
        open.and_then(|mut file| file.write_all(key.as_bytes()))
            .with_context(|| format!("cannot write {}", file.display()))?;
        Ok(key)
    }
}

/// 244 random bits in hexadecimal digits.
pub(crate) fn random_key() -> String {
    format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_same_in_the_next_run_and_a_folder_is_used_by_one_run() -> anyhow::Result<()> {
        let scratch = servers::Scratch::new()?;
        let data = Data::open(scratch.path().join("data"))?;
        let key = data.secret_key()?;
        assert_eq!(key.len(), 64);
        let second = Data::open(data.path().to_owned()).expect_err("it is locked");
        assert!(second.to_string().contains("in use"));
        let path = data.path().to_owned();
        drop(data);
        assert_eq!(Data::open(path)?.secret_key()?, key);
        Ok(())
    }
}
