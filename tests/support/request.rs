//! A request to be written as bytes.

/// A request to one app of the test's config.
#[derive(Clone)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// Any method; `app` is reached by its host, `APP.test`.
    pub fn new(method: &str, app: &str, target: &str) -> Self {
        let host = ("host".to_owned(), format!("{app}.test"));
        Self { method: method.into(), target: target.into(), headers: vec![host], body: Vec::new() }
    }

    pub fn get(app: &str, target: &str) -> Self {
        Self::new("GET", app, target)
    }

    pub fn post(app: &str, target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::new("POST", app, target) }
    }

    /// The same with another method.
    pub fn method(self, method: &str) -> Self {
        Self { method: method.into(), ..self }
    }

    /// Whether its answer has no body (RFC 9110 §9.3.2).
    pub(super) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }

    /// Adds a header field, or replaces the host.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if name == "host" {
            self.headers.clear();
        }
        self.headers.push((name.into(), value.into()));
        self
    }

    /// The request as it goes over the wire, with the length of its body.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if !self.body.is_empty() || self.method == "POST" {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }
}
