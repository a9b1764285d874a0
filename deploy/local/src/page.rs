//! The page: built with npm at the first run, and again when its sources are newer than the build.
//! Without Node everything else runs, and the runner prints how to get the page.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, bail};
use servers::process;
use tokio::process::Command;

/// Its sources in this checkout.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../gateway/web");
/// Generated or not part of the build: changes in these do not cause a build.
const NOT_SOURCES: [&str; 4] = ["node_modules", "dist", "tests", "README.md"];

/// The folder of the built page; or a sentence that says why there is none. `progress` receives a line for each step.
pub(crate) async fn built(progress: &impl Fn(&str)) -> Result<PathBuf, String> {
    let sources = Path::new(SOURCES);
    if !sources.join("package.json").exists() {
        return Err(format!("no page: its sources are not in {}", sources.display()));
    }
    if let Err(error) = build(sources, progress).await {
        return Err(format!("no page: {error:#}. Only the API is served"));
    }
    Ok(sources.join("dist"))
}

async fn build(sources: &Path, progress: &impl Fn(&str)) -> anyhow::Result<()> {
    // Runners that start concurrently build once.
    let folder = servers::cache_folder();
    fs::create_dir_all(&folder).context("making the cache folder")?;
    let lock = File::create(folder.join("page.lock")).context("making a lock file")?;
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await?.context("waiting for a lock")?;
    if !stale(sources)? {
        return Ok(());
    }
    if process::on_path("npm").is_none() {
        bail!("to have it, install Node 20 or newer with npm, and start again");
    }
    progress(
        "building the page (first run, or its sources changed): npm ci && npm run build in gateway/web, about 20 s",
    );
    npm(sources, &["ci", "--no-audit", "--no-fund"]).await?;
    npm(sources, &["run", "build"]).await?;
    drop(lock);
    Ok(())
}

async fn npm(sources: &Path, args: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new("npm");
    let status = command.args(args).current_dir(sources).kill_on_drop(true).status().await.context("running npm")?;
    if !status.success() {
        bail!("`npm {}` in gateway/web failed", args.join(" "));
    }
    Ok(())
}

fn stale(sources: &Path) -> anyhow::Result<bool> {
    let page = sources.join("dist/index.html");
    if !page.exists() {
        return Ok(true);
    }
    let built = fs::metadata(&page)?.modified()?;
    Ok(newest_in(sources).context("reading the page's sources")? > built)
}

fn newest_in(folder: &Path) -> anyhow::Result<SystemTime> {
    let mut newest = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if NOT_SOURCES.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        let changed =
            if entry.file_type()?.is_dir() { newest_in(&entry.path())? } else { entry.metadata()?.modified()? };
        newest = newest.max(changed);
    }
    Ok(newest)
}
