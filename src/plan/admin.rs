//! The admin address: loopback or a Unix socket.

use std::net::SocketAddr;
use std::path::Path;

use super::build::absolute;
use super::listeners::overlap;
use super::{AdminAddress, Listener};
use crate::config::{Admin, Config, Context, Problem, Secret, Text, refuse_unavailable};

/// What the system has room for in the address of a Unix socket (`sun_path`, less its NUL).
const LONGEST_SOCKET: usize = 107;

/// Where the admin interface listens.
pub(super) fn address(cx: &Context, admin: &Admin, config: &Config, listeners: &[Listener]) -> Option<AdminAddress> {
    let written = admin.address.as_ref()?;
    let text = written.value.as_str();
    let expected = "expected an address such as \"127.0.0.1:9090\" or \"unix:/run/nano/admin.sock\"";
    if let Some(path) = text.strip_prefix("unix:") {
        if path.is_empty() {
            cx.push(Problem::error("the path of the socket is missing").at(written.span, expected));
            return None;
        }
        let path = absolute(&admin.folder.join(Path::new(path)));
        let length = path.as_os_str().len();
        if length > LONGEST_SOCKET {
            cx.push(
                Problem::error(format!("the path of the socket has {length} bytes"))
                    .at(written.span, format!("expected at most {LONGEST_SOCKET}"))
                    .help(format!("it is {}", path.display())),
            );
            return None;
        }
        return Some(AdminAddress::Unix(path));
    }
    let Ok(address) = text.parse::<SocketAddr>() else {
        let help = match text.strip_prefix("localhost:") {
            Some(port) => Some(format!("a name could mean several addresses: \"127.0.0.1:{port}\"")),
            None if text.starts_with('/') => Some(format!("for a Unix socket: \"unix:{text}\"")),
            None => None,
        };
        cx.push(Problem::error(format!("{text:?} is not an address")).at(written.span, expected).maybe_help(help));
        return None;
    };
    if !address.ip().is_loopback() {
        refuse_unavailable(cx, "admin=beyond-loopback", written.span);
        return None;
    }
    if config.listeners.is_empty()
        && let Some(implicit) = listeners.iter().find(|implicit| overlap(implicit.address, address))
    {
        cx.push(
            Problem::error(format!("the admin address is that of listener `{}`", implicit.name))
                .at(written.span, "expected an address of its own")
                .help(format!("without a `listener` there is this one, on {}", implicit.address)),
        );
    }
    for listener in &config.listeners {
        if let Some(taken) = listener.address.filter(|taken| overlap(taken.value, address)) {
            cx.push(
                Problem::error(format!("the admin address is that of listener `{}`", listener.name.value))
                    .at(written.span, "expected an address of its own")
                    .at(taken.span, "taken here"),
            );
        }
    }
    Some(AdminAddress::Tcp(address))
}

/// What the admin interface asks for.
pub(super) fn token(cx: &Context, admin: &Admin) -> Option<Secret> {
    let written = admin.token.as_ref()?;
    if written.value.expose().is_empty() {
        cx.push(Problem::error("the admin token is empty").at(written.span, "expected a secret"));
    }
    match &written.value {
        Text::Secret(secret) => Some(secret.clone()),
        Text::Plain(text) => {
            cx.push(
                Problem::warning("the admin token can be read in the config")
                    .at(written.span, "written here")
                    .help("keep it elsewhere: (file)\"/run/secrets/nano-admin\" or (env)\"NANO_ADMIN\""),
            );
            Some(Secret::new(text.clone()))
        }
    }
}
