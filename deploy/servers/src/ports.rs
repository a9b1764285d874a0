//! Ports that no parallel test has.
//! A free port found by binding port 0 is an ephemeral one: before the server binds it, an outgoing connection
//! may get it. So ports come from below the ephemeral range (32768 on Linux), and each process takes them
//! from a block that it has locked, so that two test processes never try the same one.

use std::{
    fs::{self, File},
    net::TcpListener,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, ensure};

use crate::scratch::{cache_folder, random_name};

const FIRST: u16 = 20_000;
const BLOCK: u16 = 50;
const BLOCKS: u16 = 240;
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(10);

/// The block that this process holds, and how much of it is handed out.
struct Block {
    _lock: File,
    first: u16,
    used: u16,
}

/// A TCP port between 20000 and 31999 that is free on 127.0.0.1 and is handed out once to one process.
pub fn free_port() -> anyhow::Result<u16> {
    // Full blocks stay locked until the process ends: their ports are in use.
    static BLOCKS_HELD: Mutex<Vec<Block>> = Mutex::new(Vec::new());
    let mut held = BLOCKS_HELD.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if held.last().is_none_or(|block| block.used == BLOCK) {
            held.push(lock_block()?);
        }
        let block = held.last_mut().context("no block of ports")?;
        let port = block.first + block.used;
        block.used += 1;
        if is_free(port) {
            return Ok(port);
        }
    }
}

/// Checks that nobody listens on the port of 127.0.0.1.
///
/// # Errors
/// When somebody does for half a second, with the port in the message. A process that is being started by another
/// thread holds what was open here until it is on its own.
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
    anyhow::bail!("all ports from {FIRST} to {} are taken", FIRST + BLOCKS * BLOCK - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_handed_out_once_and_is_below_the_ephemeral_range() -> anyhow::Result<()> {
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
