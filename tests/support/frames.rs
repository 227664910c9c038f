//! A server for `https://localhost` that speaks HTTP/2 as its test says, frame for frame.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio_rustls::rustls::{ServerConnection, StreamOwned};

use super::PATIENCE;
use super::upstream::certified;

/// The bytes a client begins with (RFC 9113 §3.4).
const PREFACE: usize = 24;

/// Kinds of frames (RFC 9113 §6).
pub const HEADERS: u8 = 1;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const GOAWAY: u8 = 7;
pub const CONTINUATION: u8 = 9;

/// The end of a message, and of its fields.
pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

/// `:status: 200` (RFC 7541 appendix A).
pub const OK: u8 = 0x88;

/// A server, a thread for each connection. It ends with the process.
pub struct Frames {
    pub port: u16,
    /// Its certificate, for whoever is to trust it.
    pub certificate: String,
    connections: Arc<AtomicUsize>,
}

/// A frame as it came; what it carries is of no interest here.
#[derive(Debug)]
pub struct Frame {
    pub kind: u8,
    pub stream: u32,
}

/// The server's end of a connection.
pub struct Link(StreamOwned<ServerConnection, TcpStream>);

impl Frames {
    /// Serves each connection by `serve`, which is told how many there were before.
    pub fn start(serve: impl Fn(usize, Link) + Send + Sync + 'static) -> Self {
        let (config, certificate) = certified(&["h2"]);
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::<AtomicUsize>::default();
        let (count, serve) = (Arc::clone(&connections), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
                let (number, serve) = (count.fetch_add(1, Ordering::SeqCst), Arc::clone(&serve));
                std::thread::spawn(move || {
                    let mut link = Link(StreamOwned::new(tls, stream));
                    if link.0.read_exact(&mut [0; PREFACE]).is_ok() {
                        link.send(SETTINGS, 0, 0, &[]);
                        serve(number, link);
                    }
                });
            }
        });
        Self { port, certificate, connections }
    }

    /// The URL of `target` here.
    pub fn url(&self, target: &str) -> String {
        format!("https://localhost:{}{target}", self.port)
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Link {
    /// The next frame; `None` where the connection ends first.
    pub fn frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).ok()?;
        let [a, b, c, kind, _, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.0.read_exact(&mut payload).ok()?;
        Some(Frame { kind, stream: u32::from_be_bytes(stream) })
    }

    /// The stream of the next request; `None` where the connection ends first.
    pub fn request(&mut self) -> Option<u32> {
        loop {
            let frame = self.frame()?;
            if frame.kind == HEADERS {
                return Some(frame.stream);
            }
        }
    }

    /// Sends a frame.
    pub fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
        let mut bytes = vec![a, b, c, kind, flags];
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        // Clients leave as they like.
        let _ = self.0.write_all(&bytes).and_then(|()| self.0.flush());
    }

    /// Answers a request with no more than its status, and serves on until the connection ends.
    pub fn answer(mut self, stream: u32) {
        self.send(HEADERS, END_HEADERS | END_STREAM, stream, &[OK]);
        while let Some(stream) = self.request() {
            self.send(HEADERS, END_HEADERS | END_STREAM, stream, &[OK]);
        }
    }
}
