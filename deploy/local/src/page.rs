//! The page: built once with npm, and again when its sources are younger than what was built.
//! Without Node everything else runs, and the runner says how to get the page.

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
/// What is made of others, and not looked at.
const MADE: [&str; 4] = ["node_modules", "dist", "tests", "README.md"];

/// The folder of the built page; or why there is none, as a sentence for people.
pub(crate) async fn built() -> Result<PathBuf, String> {
    let sources = Path::new(SOURCES);
    if !sources.join("package.json").exists() {
        return Err(format!("no page: its sources are not in {}", sources.display()));
    }
    if let Err(error) = build(sources).await {
        return Err(format!("no page: {error:#}. Only the API is served"));
    }
    Ok(sources.join("dist"))
}

async fn build(sources: &Path) -> anyhow::Result<()> {
    // Another runner may be at it: then what it builds is good for this one too.
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
    Ok(youngest_of(sources).context("looking at the page's sources")? > built)
}

fn youngest_of(folder: &Path) -> anyhow::Result<SystemTime> {
    let mut youngest = SystemTime::UNIX_EPOCH;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if MADE.iter().any(|made| entry.file_name() == *made) {
            continue;
        }
        let changed =
            if entry.file_type()?.is_dir() { youngest_of(&entry.path())? } else { entry.metadata()?.modified()? };
        youngest = youngest.max(changed);
    }
    Ok(youngest)
}
