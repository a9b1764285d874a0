//! Ports that no concurrent test uses.
//!
//! A free port that is found by binding port 0 is an ephemeral port: an outgoing connection may get it before the server
//! binds it. These ports are below the ephemeral range (32768 on Linux), and each process takes them from a block that it
//! has locked, so that two test processes never try the same port.

use std::{
    fs::{self, File},
    net::TcpListener,
    time::Duration,
};

use anyhow::{Context, ensure};
use parking_lot::Mutex;

use crate::scratch::{cache_folder, random_name};

const FIRST: u16 = 20_000;
const BLOCK: u16 = 50;
const BLOCKS: u16 = 240;
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(10);

/// A block that this process has locked, and how many of its ports were given out.
struct Block {
    _lock: File,
    first: u16,
    used: u16,
}

/// A TCP port between 20000 and 31999 that is free on 127.0.0.1. A process gets each port once.
pub fn free_port() -> anyhow::Result<u16> {
    // Full blocks stay locked until the process ends: their ports are in use.
    static LOCKED_BLOCKS: Mutex<Vec<Block>> = Mutex::new(Vec::new());
    let mut locked = LOCKED_BLOCKS.lock();
    loop {
        if locked.last().is_none_or(|block| block.used == BLOCK) {
            locked.push(lock_block()?);
        }
        let block = locked.last_mut().context("no block of ports")?;
        let port = block.first + block.used;
        block.used += 1;
        if is_free(port) {
            return Ok(port);
        }
    }
}

/// Checks that the port of 127.0.0.1 is free.
///
/// # Errors
/// When it is in use for half a second; the message names the port. A child process that another thread spawns has this
/// process' sockets open until it executes its program.
pub fn ensure_free(port: u16) -> anyhow::Result<()> {
    let freed = (0..TRIES).any(|_| {
        let free = is_free(port);
        if !free {
            std::thread::sleep(PAUSE);
        }
        free
    });
    ensure!(freed, "port {port} of 127.0.0.1 is in use by another process");
    Ok(())
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn lock_block() -> anyhow::Result<Block> {
    let folder = cache_folder().join("ports");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let start = u64::from_str_radix(&random_name(), 16)? % u64::from(BLOCKS);
    for number in (start as u16..BLOCKS).chain(0..start as u16) {
        let first = FIRST + number * BLOCK;
        let lock = File::create(folder.join(first.to_string()))?;
        if lock.try_lock().is_ok() {
            return Ok(Block { _lock: lock, first, used: 0 });
        }
    }
    anyhow::bail!("all ports from {FIRST} to {} are in use", FIRST + BLOCKS * BLOCK - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_given_out_once_and_is_below_the_ephemeral_range() -> anyhow::Result<()> {
        let ports = (0..120).map(|_| free_port()).collect::<anyhow::Result<Vec<_>>>()?;
        let distinct: std::collections::BTreeSet<_> = ports.iter().collect();
        assert_eq!(distinct.len(), ports.len());
        assert!(ports.iter().all(|port| (20_000..32_000).contains(port)));
        Ok(())
    }

    #[test]
    fn a_port_in_use_is_named() -> anyhow::Result<()> {
        let port = free_port()?;
        let _listener = TcpListener::bind(("127.0.0.1", port))?;
        let error = ensure_free(port).expect_err("the port is taken");
        assert!(error.to_string().contains(&port.to_string()));
        Ok(())
    }
}
