//! Servers for apps to fetch from: one under byte-for-byte control, and one that speaks TLS and HTTP/2.

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::PATIENCE;

/// A server on 127.0.0.1, a thread for each connection. It ends with the process.
pub struct Upstream {
    pub port: u16,
    seen: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// A request as it came over the wire.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// The server's end of a connection.
pub struct Peer {
    stream: BufReader<TcpStream>,
}

impl Upstream {
    /// Serves each connection by `serve`.
    pub fn start(serve: impl Fn(Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let upstream = Self {
            port: listener.local_addr().unwrap().port(),
            seen: Arc::default(),
            connections: Arc::default(),
            most: Arc::default(),
        };
        let connections = Arc::clone(&upstream.connections);
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_write_timeout(Some(PATIENCE)).unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || serve(Peer { stream: BufReader::new(stream) }));
            }
        });
        upstream
    }

    /// Answers each request with the bytes `answer` gives, and keeps connections open.
    pub fn answering(answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let (seen, busy, most) = (Arc::<Mutex<Vec<Asked>>>::default(), AtomicUsize::new(0), Arc::default());
        let (theirs, record) = (Arc::clone(&seen), Arc::<AtomicUsize>::clone(&most));
        let serve = move |mut peer: Peer| {
            while let Some(asked) = peer.request() {
                theirs.lock().unwrap().push(asked.clone());
                // Whoever waits for this answer holds its connection: an end of the connection, on the other hand, may
                // be seen here when the next one has long begun.
                record.fetch_max(busy.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let answer = answer(&asked);
                busy.fetch_sub(1, Ordering::SeqCst);
                if !peer.write(answer) {
                    return;
                }
            }
        };
        Self { seen, most, ..Self::start(serve) }
    }

    /// Answers every request with what it was, as JSON; `/redirect/STATUS?LOCATION` redirects.
    pub fn echo() -> Self {
        Self::answering(|asked| match asked.target.strip_prefix("/redirect/") {
            Some(rest) => {
                let (status, location) = rest.split_once('?').unwrap();
                format!("HTTP/1.1 {status} Go\r\nlocation: {location}\r\ncontent-length: 2\r\n\r\ngo").into_bytes()
            }
            None => {
                let headers: serde_json::Map<_, _> =
                    asked.headers.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
                let body = String::from_utf8_lossy(&asked.body);
                let told = serde_json::json!({
                    "method": asked.method, "target": asked.target, "headers": headers, "body": body,
                });
                ok("content-type: application/json\r\n", told.to_string())
            }
        })
    }

    /// The URL of `target` here.
    pub fn url(&self, target: &str) -> String {
        format!("http://127.0.0.1:{}{target}", self.port)
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().clone()
    }

    /// Connections so far, and how many requests were being answered at the same time.
    pub fn connections(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.most.load(Ordering::SeqCst))
    }
}

/// A whole answer with these header lines, each ended.
pub fn ok(headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

impl Asked {
    /// The one value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Peer {
    /// Reads a request with its body; `None` where the connection ends first.
    pub fn request(&mut self) -> Option<Asked> {
        let mut asked = self.head()?;
        if asked.header("transfer-encoding").is_some() {
            while let Some(chunk) = self.chunk() {
                asked.body.extend(chunk);
            }
        } else {
            asked.body = vec![0; asked.header("content-length").map_or(0, |length| length.parse().unwrap())];
            self.stream.read_exact(&mut asked.body).ok()?;
        }
        Some(asked)
    }

    /// Reads a request's head.
    pub fn head(&mut self) -> Option<Asked> {
        let start = self.line()?;
        let mut words = start.split(' ').map(str::to_owned);
        let (method, target) = (words.next()?, words.next()?);
        let mut headers = Vec::new();
        loop {
            let line = self.line()?;
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Some(Asked { method, target, headers, body: Vec::new() })
    }

    /// Reads a chunk of a chunked body; `None` after the last, or where the connection ends.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = usize::from_str_radix(&self.line()?, 16).unwrap();
        let mut chunk = vec![0; size];
        self.stream.read_exact(&mut chunk).ok()?;
        self.line()?;
        (size > 0).then_some(chunk)
    }

    /// Sends bytes; false if nobody is left to read them.
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    /// Waits until the other side has closed the connection.
    pub fn closed(&mut self) -> bool {
        let mut rest = [0; 4096];
        loop {
            match self.stream.read(&mut rest) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.stream.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
    }
}

/// A server for `localhost` that speaks TLS, and HTTP/2 or HTTP/1.1 as its clients choose. Its answers say which.
pub struct Secure {
    pub port: u16,
    /// Its certificate, for whoever is to trust it.
    pub certificate: String,
    connections: Arc<AtomicUsize>,
}

impl Secure {
    /// Offers these protocols (ALPN).
    pub fn start(protocols: &[&str]) -> Self {
        let (config, certificate) = certified(protocols);
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(accept(listener, config, count));
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

/// TLS for `localhost` that offers these protocols (ALPN), and the certificate to trust.
pub(super) fn certified(protocols: &[&str]) -> (Arc<ServerConfig>, String) {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.into())
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    (Arc::new(config), certified.cert.pem())
}

async fn accept(listener: TcpListener, config: Arc<ServerConfig>, count: Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let acceptor = TlsAcceptor::from(config);
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        count.fetch_add(1, Ordering::SeqCst);
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            let answer = service_fn(|request: hyper::Request<hyper::body::Incoming>| async move {
                let host = request.headers().get("host").map(|host| host.to_str().unwrap().to_owned());
                let told = format!("{:?} {} {host:?}", request.version(), request.uri());
                Ok::<_, Infallible>(hyper::Response::new(Full::new(Bytes::from(told))))
            });
            let io = TokioIo::new(stream);
            // Clients leave as they like.
            if http2 {
                let _ =
                    hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(io, answer).await;
            } else {
                let _ = hyper::server::conn::http1::Builder::new().serve_connection(io, answer).await;
            }
        });
    }
}
