//! URL records (URL Standard §4.1), and their serialisation with where each part of it is.

/// A URL, its parts percent-encoded: all is ASCII.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) scheme: String,
    pub(super) username: String,
    pub(super) password: String,
    /// Serialised; empty is the empty host.
    pub(super) host: Option<String>,
    pub(super) port: Option<u16>,
    /// Opaque, or else its segments each with a slash before it.
    pub(super) path: String,
    pub(super) is_opaque: bool,
    pub(super) query: Option<String>,
    pub(super) fragment: Option<String>,
}

/// Where the parts are in a serialised URL: the ends of scheme, username and password, then start and end of the host,
/// the end of the port, start and end of the path, and the end of the query. The password's part begins with its colon,
/// as the port's does; query and fragment begin with their marks. Without a host, its parts are empty and right after
/// the scheme's colon.
pub(super) type Offsets = [usize; 10];

impl Record {
    /// §4.2 "special".
    pub(super) fn is_special(&self) -> bool {
        is_special(&self.scheme)
    }

    /// §4.2 "includes credentials".
    pub(super) fn has_credentials(&self) -> bool {
        !self.username.is_empty() || !self.password.is_empty()
    }

    /// §4.2 "cannot have a username/password/port".
    pub(super) fn is_without_authority(&self) -> bool {
        self.host.as_ref().is_none_or(String::is_empty) || self.scheme == "file"
    }

    /// §4.2 "shorten a url's path".
    pub(super) fn shorten(&mut self) {
        if self.scheme == "file" && is_normalized_drive(self.path.strip_prefix('/').unwrap_or_default()) {
            return;
        }
        if let Some(at) = self.path.rfind('/') {
            self.path.truncate(at);
        }
    }

    /// §4.5 "URL serializer".
    pub(super) fn serialize(&self) -> (String, Offsets) {
        let part = |part: &Option<String>| part.as_ref().map_or(0, |part| part.len() + 1);
        let length = self.scheme.len() + self.username.len() + self.password.len() + self.path.len() + 16;
        let mut text = String::with_capacity(length + part(&self.host) + part(&self.query) + part(&self.fragment));
        text.push_str(&self.scheme);
        let scheme_end = text.len();
        text.push(':');
        let mut authority = [text.len(); 6];
        if let Some(host) = &self.host {
            text.push_str("//");
            authority[0] = text.len();
            text.push_str(&self.username);
            authority[1] = text.len();
            if !self.password.is_empty() {
                text.push(':');
                text.push_str(&self.password);
            }
            authority[2] = text.len();
            if self.has_credentials() {
                text.push('@');
            }
            authority[3] = text.len();
            text.push_str(host);
            authority[4] = text.len();
            if let Some(port) = self.port {
                text.push(':');
                text.push_str(itoa::Buffer::new().format(port));
            }
            authority[5] = text.len();
        } else if !self.is_opaque && self.path.starts_with("//") {
            // Two slashes must not be taken for those before a host.
            text.push_str("/.");
        }
        let path_start = text.len();
        text.push_str(&self.path);
        let path_end = text.len();
        if let Some(query) = &self.query {
            text.push('?');
            text.push_str(query);
        }
        let query_end = text.len();
        if let Some(fragment) = &self.fragment {
            text.push('#');
            text.push_str(fragment);
        }
        let [username_start, username_end, password_end, host_start, host_end, port_end] = authority;
        let offsets = [
            scheme_end,
            username_start,
            username_end,
            password_end,
            host_start,
            host_end,
            port_end,
            path_start,
            path_end,
            query_end,
        ];
        (text, offsets)
    }
}

/// §4.2 "special scheme".
pub(super) fn is_special(scheme: &str) -> bool {
    matches!(scheme, "http" | "https" | "ws" | "wss" | "ftp" | "file")
}

/// §4.2 "default port".
pub(super) fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        "ftp" => Some(21),
        _ => None,
    }
}

/// §4.1 "Windows drive letter".
pub(super) fn is_drive(text: &[u8]) -> bool {
    matches!(text, [letter, b':' | b'|'] if letter.is_ascii_alphabetic())
}

/// "Normalized Windows drive letter".
pub(super) fn is_normalized_drive(text: &str) -> bool {
    is_drive(text.as_bytes()) && text.ends_with(':')
}

/// "Starts with a Windows drive letter".
pub(super) fn starts_with_drive(text: &[u8]) -> bool {
    text.get(..2).is_some_and(is_drive) && matches!(text.get(2), None | Some(b'/' | b'\\' | b'?' | b'#'))
}
