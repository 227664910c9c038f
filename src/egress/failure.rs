//! Why a fetch failed, in words for the app's log. The app itself is told only that it did.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::plan::egress::Refusal;

/// Why there is no response, or no more of it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// By the app's rules, or nano's own.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// A name without a usable address.
    #[error("the name could not be looked up: {0}")]
    Lookup(io::Error),
    /// No address could be connected to; the last one tried.
    #[error("{address} could not be connected to: {source}")]
    Connect {
        /// The address.
        address: SocketAddr,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Too slow.
    #[error("there was no connection within {0:?}")]
    ConnectTimeout(Duration),
    /// The handshake failed: most often the certificate.
    #[error("TLS: {0}")]
    Tls(io::Error),
    /// What the server sent is no HTTP, or it ended too early.
    #[error("{}", chain(.0))]
    Http(#[from] hyper::Error),
    /// It asks to go on in another protocol, which nobody asked for.
    #[error("the server switched to another protocol")]
    Switched,
    /// The body is not what Content-Encoding says.
    #[error("the body is not {encoding}: {source}")]
    Decode {
        /// The coding.
        encoding: &'static str,
        /// What is wrong.
        source: io::Error,
    },
    /// The app's memory limit leaves no room.
    #[error("the app's memory limit leaves no room to decode the body")]
    NoRoom,
}

/// An error and what it came of.
fn chain(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
