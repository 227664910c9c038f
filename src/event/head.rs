//! A request's head as its app gets it: flat, plain data that any thread may read.

/// Method, URL and header fields of a request.
pub struct RequestHead {
    /// The method, the URL, and each field's name and value, one after another.
    text: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

impl RequestHead {
    /// A head without fields. The method is as sent: methods are case-sensitive (RFC 9110 §9.1). The URL, in pieces, is
    /// absolute: scheme, host, and path and query exactly as the client sent them. There is room for so many fields, and
    /// so many bytes of them.
    pub fn new(method: &str, url: &[&str], fields: usize, bytes: usize) -> Self {
        let length = method.len() + url.iter().map(|piece| piece.len()).sum::<usize>();
        let mut text = Vec::with_capacity(length + bytes);
        text.extend_from_slice(method.as_bytes());
        url.iter().for_each(|piece| text.extend_from_slice(piece.as_bytes()));
        let mut ends = Vec::with_capacity(2 * (1 + fields));
        ends.extend([method.len(), length]);
        Self { text, ends }
    }

    /// Adds a field; its name is in lower case.
    pub fn push(&mut self, name: &str, value: &[u8]) {
        self.text.extend_from_slice(name.as_bytes());
        self.ends.push(self.text.len());
        self.text.extend_from_slice(value);
        self.ends.push(self.text.len());
    }

    /// The method.
    pub fn method(&self) -> &str {
        text(&self.text[..self.ends[0]])
    }

    /// The URL.
    pub fn url(&self) -> &str {
        text(&self.text[self.ends[0]..self.ends[1]])
    }

    /// Names and values, in the order they were added.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = (&[u8], &[u8])> {
        (1..self.ends.len() / 2).map(|field| {
            let (before, name, value) = (self.ends[2 * field - 1], self.ends[2 * field], self.ends[2 * field + 1]);
            (&self.text[before..name], &self.text[name..value])
        })
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("it was text when it was added")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_gives_back_what_was_put_into_it() {
        let mut head = RequestHead::new("GET", &["http", "://", "a.test", "/ä?b"], 1, 0);
        assert_eq!(head.fields().len(), 0);
        head.push("accept", b"*/*");
        head.push("x-empty", b"");
        head.push("x-latin", b"\xfc");
        assert_eq!((head.method(), head.url()), ("GET", "http://a.test/ä?b"));
        let fields: Vec<_> = head.fields().collect();
        assert_eq!(fields, [(&b"accept"[..], &b"*/*"[..]), (b"x-empty", b""), (b"x-latin", b"\xfc")]);
    }
}
