//! What a connected person costs a gateway: resident memory for each connection that waits for
//! nothing, signed in over WebSocket, and with a subscription of its own on the bus.

use crate::meet::come;
use anyhow::Context as _;
use local::Stack;
use servers::process::resident_kb;

pub(crate) async fn measure(stack: &Stack, people: usize) -> anyhow::Result<()> {
    let pid = stack.gateways()[0].pid().context("the gateway runs")?;
    let resident = || resident_kb(pid).map(|kb| kb as f64).context("reading the gateway's memory");
    let url = &stack.gateway_urls()[0];
    let warm = come(url).await?;
    let before = resident()?;
    let mut sockets = Vec::with_capacity(people);
    for _ in 0..people {
        let socket = come(url).await?;
        socket.wait_for("resumed").await?;
        sockets.push(socket);
    }
    let each = (resident()? - before) / people as f64;
    println!("{people} idle people: {each:.1} kB of the gateway's memory each");
    drop((warm, sockets));
    Ok(())
}
