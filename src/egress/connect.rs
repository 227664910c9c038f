//! From a host and port to a connection: the name is looked up, each address is checked against the app's rules, and
//! those that pass are tried in turn. There is no other way out: what is written as an address is checked like what was
//! looked up, and no environment variable names a proxy.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;

use super::client::Target;
use super::failure::Failure;
use super::{Egress, lookup};

/// For all of it: name, TCP, TLS.
const CONNECT: Duration = Duration::from_secs(10);
/// Addresses of one name that are tried.
const TRIED: usize = 8;

/// An open connection. Counts among the app's for as long as it lives.
pub(super) struct Stream {
    io: Transport,
    _permit: OwnedSemaphorePermit,
}

enum Transport {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Whether the server chose HTTP/2 (ALPN).
    pub(super) fn is_http2(&self) -> bool {
        match &self.io {
            Transport::Plain(_) => false,
            Transport::Tls(stream) => stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        }
    }
}

/// Opens a connection to `target` under `permit`.
pub(super) async fn connect(egress: &Egress, target: &Target, permit: OwnedSemaphorePermit) -> Result<Stream, Failure> {
    let deadline = Instant::now() + CONNECT;
    let late = |_| Failure::ConnectTimeout(CONNECT);
    let tcp = timeout_at(deadline, tcp(egress, target, deadline)).await.map_err(late)??;
    let io = if target.secure {
        timeout_at(deadline, tls(egress, target, tcp)).await.map_err(late)?.map_err(Failure::Tls)?
    } else {
        Transport::Plain(tcp)
    };
    Ok(Stream { io, _permit: permit })
}

async fn tls(egress: &Egress, target: &Target, tcp: TcpStream) -> io::Result<Transport> {
    let name = match target.address() {
        Some(address) => ServerName::from(address),
        None => ServerName::try_from(target.host.clone()).map_err(io::Error::other)?,
    };
    let stream = egress.shared.tls.connector().await?.connect(name, tcp).await?;
    Ok(Transport::Tls(Box::new(stream)))
}

async fn tcp(egress: &Egress, target: &Target, deadline: Instant) -> Result<TcpStream, Failure> {
    let addresses = allowed(egress, target).await?;
    let mut failure = None;
    for (tried, address) in addresses.iter().enumerate() {
        // Each gets an equal part of the time that is left.
        let left = deadline.saturating_duration_since(Instant::now()) / (addresses.len() - tried) as u32;
        let attempt = tokio::time::timeout(left, TcpStream::connect(address));
        let source = match attempt.await {
            Ok(Ok(stream)) => {
                // What is asked should leave at once.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(source)) => source,
            Err(_) => io::ErrorKind::TimedOut.into(),
        };
        failure = Some(Failure::Connect { address: *address, source });
    }
    Err(failure.expect("there is an address, or `allowed` said why not"))
}

/// The addresses of `target` that the app may connect to: at least one.
async fn allowed(egress: &Egress, target: &Target) -> Result<Vec<SocketAddr>, Failure> {
    let (found, name): (Vec<IpAddr>, _) = match target.address() {
        Some(address) => (vec![address], None),
        None => {
            let name = target.name();
            egress.rules.check_name(name, target.port)?;
            let found = lookup::addresses(&egress.lookups, &target.host).await.map_err(Failure::Lookup)?;
            (found, Some(name))
        }
    };
    let (mut allowed, mut refusal) = (Vec::new(), None);
    for address in found {
        // An IPv4 address is connected to as what it was checked as.
        let address = SocketAddr::new(address.to_canonical(), target.port);
        match egress.rules.check_address(name, address, egress.shared.own.find(address)) {
            Ok(()) if allowed.len() < TRIED => allowed.push(address),
            Ok(()) => {}
            Err(reason) => refusal = refusal.or(Some(reason)),
        }
    }
    match refusal {
        Some(refusal) if allowed.is_empty() => Err(refusal.into()),
        _ => Ok(allowed),
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Transport::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Transport::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Transport::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Transport::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Transport::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Transport::Plain(stream) => stream.is_write_vectored(),
            Transport::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Transport::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Transport::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Transport::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
