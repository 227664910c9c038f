//! An HTTP/1.1 connection that sends exactly the bytes it is given and reads answers as a strict client would.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};

use serde_json::Value;

use super::{PATIENCE, Request};

/// A connection to nano. Every read and write ends within [`PATIENCE`].
pub struct Conn {
    stream: BufReader<TcpStream>,
    framing: Framing,
}

/// How the body being read is delimited (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    None,
    Length(u64),
    Chunked,
    Close,
}

/// A response, its body whole.
#[derive(Debug, Clone)]
pub struct Response {
    pub status: u16,
    /// In the order received, names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the connection ended before the body did.
    pub cut: bool,
}

impl Conn {
    pub fn open(port: u16) -> Self {
        Self::try_open(port).expect("nano accepts connections")
    }

    pub fn try_open(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), framing: Framing::None })
    }

    /// Sends a request and reads its whole answer.
    pub fn send(&mut self, request: &Request) -> Response {
        self.write(request.bytes());
        self.response_to(if request.is_head() { "HEAD" } else { "GET" })
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn write(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).expect("nano reads what is sent");
    }

    /// Sends bytes to a peer that may have stopped listening.
    pub fn try_write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes.as_ref())
    }

    /// Says that nothing more will be sent.
    pub fn finish(&self) {
        self.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    /// A second handle on the socket: to write from another thread, or to close it under a reader.
    pub fn socket(&self) -> TcpStream {
        self.stream.get_ref().try_clone().unwrap()
    }

    /// Reads an answer to anything but HEAD.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    /// Reads the answer to a request of this method.
    #[track_caller]
    pub fn response_to(&mut self, method: &str) -> Response {
        let response = self.try_response_to(method);
        response.expect("an answer arrives").expect("nano answers before it closes the connection")
    }

    /// Reads the answer to a request of this method, if the connection has one.
    pub fn try_response_to(&mut self, method: &str) -> io::Result<Option<Response>> {
        let Some(mut response) = self.try_head(method)? else { return Ok(None) };
        loop {
            match self.try_chunk() {
                Ok(Some(chunk)) => response.body.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(_) => {
                    response.cut = true;
                    break;
                }
            }
        }
        Ok(Some(response))
    }

    /// Reads a response's head; its body follows by [`chunk`](Self::chunk).
    #[track_caller]
    pub fn head(&mut self) -> Response {
        self.try_head("GET").expect("an answer arrives").expect("nano answers before it closes the connection")
    }

    fn try_head(&mut self, method: &str) -> io::Result<Option<Response>> {
        let Some(start) = self.line()? else { return Ok(None) };
        let status = start.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: {start:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("not a header field: {line:?}"));
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let response = Response { status, headers, body: Vec::new(), cut: false };
        self.framing = match (response.header("transfer-encoding"), response.header("content-length")) {
            _ if method == "HEAD" || status < 200 || status == 204 || status == 304 => Framing::None,
            (Some("chunked"), None) => Framing::Chunked,
            (None, Some(length)) => Framing::Length(length.parse().expect("a content-length is a number")),
            (None, None) => Framing::Close,
            both => panic!("ambiguous framing: {both:?}"),
        };
        Ok(Some(response))
    }

    /// Reads the next piece of a body, or `None` at its end.
    #[track_caller]
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        self.try_chunk().expect("the body goes on")
    }

    /// Reads the next piece of a body; an error is a connection that ended before the body did.
    pub fn try_chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        let size = match self.framing {
            Framing::None | Framing::Length(0) => return Ok(None),
            Framing::Chunked => {
                let line = self.line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
                u64::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("not a chunk size: {line:?}"))
            }
            Framing::Length(left) => left.min(64 * 1024),
            Framing::Close => {
                let mut rest = Vec::new();
                self.stream.read_to_end(&mut rest)?;
                self.framing = Framing::None;
                return Ok(Some(rest).filter(|rest| !rest.is_empty()));
            }
        };
        let mut piece = vec![0; size as usize];
        self.stream.read_exact(&mut piece)?;
        match &mut self.framing {
            Framing::Length(left) => *left -= size,
            _ => {
                let end = self.line()?;
                assert_eq!(end.as_deref(), Some(""), "a chunk ends with a line break");
            }
        }
        if size == 0 {
            self.framing = Framing::None;
            return Ok(None);
        }
        Ok(Some(piece))
    }

    /// Whether nano has closed the connection, and said nothing more on it.
    pub fn closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => rest.is_empty(),
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        if self.stream.read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = line.strip_suffix(b"\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(Some(String::from_utf8_lossy(line).into_owned()))
    }
}

impl Response {
    /// The one value of a header field, or `None`.
    #[track_caller]
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.header_all(name);
        assert!(values.len() < 2, "{name} is there more than once: {values:?}");
        values.first().copied()
    }

    /// Every value of a header field.
    pub fn header_all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// The `code` of an error body; empty where the body is something else.
    pub fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// Status and error code: what the error table promises.
    pub fn outcome(&self) -> (u16, String) {
        (self.status, self.code())
    }

    /// Checks that this is an answer of the app's own, with this text.
    #[track_caller]
    pub fn says(&self, text: &str) {
        assert_eq!((self.status, self.text().as_str()), (200, text));
    }

    /// Checks status and code, and that the error body is whole and tells nothing it should not.
    #[track_caller]
    pub fn fails(&self, status: u16, code: &str) {
        assert_eq!(self.outcome(), (status, code.to_owned()), "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"));
        let error = &self.json()["error"];
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()), "{error}");
        assert_eq!(error["request_id"].as_str(), self.header("x-request-id"));
        assert!(!self.text().contains(".js"), "an error body shows no stack or path: {}", self.text());
    }
}
