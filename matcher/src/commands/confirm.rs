//! Whether anybody still waits for the reply to a command. A wish to queue that comes late, or is replayed after an
//! outage, has been refused to its client meanwhile: it must not bring a user back who has left or was erased. No clock
//! can show that; the gateway that published the command can.

use crate::context::Context;
use proto::{
    CommandId, GatewayId,
    bus::{BusError, retry},
    subjects, timing,
};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// False once the gateway has given the command up, is gone, or did not reply for as long as any client waits.
pub(super) async fn is_awaited(context: &Context, reply_to: Option<&str>) -> bool {
    let Some((gateway, command)) = reply_to.and_then(subjects::replied_command) else { return false };
    let given_up = Instant::now() + timing::RESULT_DEADLINE;
    let mut delays = retry::delays();
    while Instant::now() < given_up {
        match request(context, &gateway, command).await {
            Ok(awaited) => return awaited,
            Err(BusError::NoResponders { .. }) => return false,
            Err(error) => tracing::debug!(gateway.id = %gateway, %error, "gateway did not confirm a command"),
        }
        sleep(delays.next().unwrap_or(Duration::from_secs(1))).await;
    }
    false
}

async fn request(context: &Context, gateway: &GatewayId, command: CommandId) -> Result<bool, BusError> {
    context.bus.request_within(timing::CONFIRM_TIMEOUT, subjects::gateway_pending(gateway), &command).await
}
