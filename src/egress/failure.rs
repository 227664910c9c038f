//! Why a fetch failed, in words for the app's log. The app itself is told only that it did.

use std::error::Error as _;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::pool::FIELDS_SIZE;
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
    Http(hyper::Error),
    /// The fields of the response, or its trailers, are too long or too many.
    #[error("the response's fields take more than {} KiB, or are too many", FIELDS_SIZE >> 10)]
    Fields,
    /// By HTTP/2, where what is too long is not told from what is no message (RFC 9113 §8.1.1).
    #[error("the response is malformed, or its fields take more than {} KiB", FIELDS_SIZE >> 10)]
    Message,
    /// One informational head follows another.
    #[error("the server sends informational heads without end")]
    Informational,
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

impl From<hyper::Error> for Failure {
    fn from(error: hyper::Error) -> Self {
        let cause = error.source().and_then(|source| source.downcast_ref::<h2::Error>());
        let ours = cause.filter(|cause| cause.is_reset() && cause.is_library()).and_then(h2::Error::reason);
        match ours {
            Some(h2::Reason::PROTOCOL_ERROR) => Self::Message,
            _ if error.is_parse_too_large() => Self::Fields,
            _ => Self::Http(error),
        }
    }
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
