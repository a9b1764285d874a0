//! The ports and environment variables of the services of a stack.

use std::sync::Arc;

use anyhow::Context;
use servers::{ensure_free, free_port};

use crate::{
    backing::Backing,
    log::Log,
    options::StackOptions,
    service::{Kind, Service},
};

/// The public ports of the gateways: consecutive ones from the given port on, or free ones.
pub(crate) fn gateway_ports(options: &StackOptions) -> anyhow::Result<Vec<u16>> {
    (0..options.gateways)
        .map(|number| match options.port {
            Some(first) => {
                let port = u16::try_from(usize::from(first) + number).context("the ports end at 65535")?;
                ensure_free(port).map(|()| port)
            }
            None => free_port(),
        })
        .collect()
}

/// A service of a stack with its environment, not started yet. `variables` are those that only this service has.
pub(crate) fn make_service(
    kind: Kind,
    number: usize,
    options: &StackOptions,
    backing: &Backing,
    mut variables: Vec<(String, String)>,
) -> anyhow::Result<Arc<Service>> {
    let name = format!("{}-{number}", kind.name());
    let health_port = free_port()?;
    variables.push(env("HEALTH_ADDR", format!("127.0.0.1:{health_port}")));
    let via = options.nats_via.as_ref().map(|via| via(&name, &backing.nats_url)).transpose()?.flatten();
    variables.push(env("NATS_URL", via.unwrap_or_else(|| backing.nats_url.clone())));
    variables.push(env("NATS_REPLICAS", backing.nats().len().max(1).to_string()));
    if let Some(access) = &backing.access {
        variables.push(env("NATS_USER", kind.name()));
        variables.push(env("NATS_PASSWORD", access.password(kind.name())));
    }
    // Their output is a pipe; the runner overrides this when it writes to a terminal.
    variables.push(env("NO_COLOR", "1"));
    // GATEWAY_ID, MATCHER_ID, CHAT_STORE_ID.
    variables.push(env(&format!("{}_ID", kind.name().replace('-', "_").to_uppercase()), &name));
    match kind {
        Kind::Gateway => {}
        Kind::Matcher | Kind::ChatStore => {
            variables.push(env("MONGODB_URI", backing.mongodb_uri_of(kind)));
            variables.push(env("MONGODB_DATABASE", &backing.database));
        }
    }
    variables.extend(options.env.iter().cloned());
    let log = Log::new(&name, options.sink.clone());
    Ok(Arc::new(Service::new(kind, name, options.executable.clone(), variables, health_port, log)))
}

/// A variable of a service.
pub(crate) fn env(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}
