//! Child processes that end with this process, even if it is killed.
//!
//! The kernel kills them with the parent: `setpriv --pdeathsig KILL` (util-linux) requests that and then executes the
//! program, so that the pid is the program's own. Without such a `setpriv` (macOS, busybox) a child is killed when its
//! [`Process`] is dropped, and survives a parent that was killed.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{OnceLock, mpsc},
    thread,
    time::{Duration, Instant},
};

use nix::{sys::signal, unistd::Pid};
use tokio::{sync::watch, time::timeout};

pub use nix::sys::signal::Signal;

/// How long a dropped process may take to end after SIGKILL.
const DROP_DEADLINE: Duration = Duration::from_secs(5);

/// A command that runs `program`, and has the kernel kill it when this process ends.
pub fn command(program: &Path) -> Command {
    let Some(setpriv) = setpriv() else {
        return Command::new(program);
    };
    let mut command = Command::new(setpriv);
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command
}

/// The first executable file of this name on the PATH.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|file| is_executable(file))
}

pub(crate) fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Whether a process runs. A zombie, which was not reaped yet, does not.
pub fn runs(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|state| !state.starts_with('Z')))
}

/// The resident memory of a process in kB, if it runs.
pub fn resident_kb(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// A child process in a process group of its own, so that Ctrl-C in the terminal reaches only its parent.
/// It belongs to no runtime, may be in a static, and is killed when dropped.
#[derive(Debug)]
pub struct Process {
    pid: Pid,
    exit: watch::Receiver<Option<ExitStatus>>,
}

impl Process {
    /// Starts a command that [`command`] has made; the caller decides where its output goes.
    pub fn spawn(mut command: Command) -> io::Result<Self> {
        command.process_group(0).stdin(Stdio::null());
        let mut child = spawn_in_keeper(command)?;
        let pid = Pid::from_raw(child.id().cast_signed());
        let (exited, exit) = watch::channel(None);
        thread::Builder::new()
            .name(format!("wait-{pid}"))
            .spawn(move || exited.send_replace(Some(child.wait().unwrap_or_default())))?;
        Ok(Self { pid, exit })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().cast_unsigned()
    }

    /// How it ended, or none while it runs.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        *self.exit.borrow()
    }

    /// Waits until it has ended.
    pub async fn exited(&self) -> ExitStatus {
        let mut exit = self.exit.clone();
        exit.wait_for(Option::is_some).await.ok().and_then(|status| *status).unwrap_or_default()
    }

    /// Sends a signal; does nothing when the process has ended.
    pub fn signal(&self, signal: Signal) {
        if self.exit_status().is_none() {
            // This fails only if it has ended meanwhile.
            let _ = signal::kill(self.pid, signal);
        }
    }

    /// SIGKILL, and waits until it has ended.
    pub async fn kill(&self) {
        self.signal(Signal::SIGKILL);
        self.exited().await;
    }

    /// SIGTERM, then SIGKILL if it still runs after `grace`; returns how it ended.
    pub async fn stop(&self, grace: Duration) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        // A suspended process handles SIGTERM only when it continues.
        self.signal(Signal::SIGCONT);
        match timeout(grace, self.exited()).await {
            Ok(status) => status,
            Err(_) => {
                self.signal(Signal::SIGKILL);
                self.exited().await
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        let deadline = Instant::now() + DROP_DEADLINE;
        while self.exit_status().is_none() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

type Order = (Command, mpsc::SyncSender<io::Result<Child>>);

/// Spawns in one thread that lives as long as this process: the parent-death signal is sent when the *thread* that
/// spawned a child ends, and a worker of a runtime may end long before the process.
fn spawn_in_keeper(command: Command) -> io::Result<Child> {
    static KEEPER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let keeper = KEEPER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, reply) in inbox {
                // The caller waits for this.
                let _ = reply.send(command.spawn());
            }
        });
        orders
    });
    let ended = || io::Error::other("the thread that spawns processes has ended");
    let (reply, spawned) = mpsc::sync_channel(1);
    keeper.send((command, reply)).map_err(|_| ended())?;
    spawned.recv().map_err(|_| ended())?
}

/// A `setpriv` with the option `--pdeathsig`, which that of busybox does not have.
fn setpriv() -> Option<&'static Path> {
    static SETPRIV: OnceLock<Option<PathBuf>> = OnceLock::new();
    SETPRIV
        .get_or_init(|| {
            let setpriv = on_path("setpriv")?;
            let trial = ["--pdeathsig", "KILL", "--", "true"].map(OsStr::new);
            let status = Command::new(&setpriv)
                .args(trial)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            status.is_ok_and(|status| status.success()).then_some(setpriv)
        })
        .as_deref()
}
