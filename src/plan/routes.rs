//! The route table: host, then path, to an app.

/// Finds the app for a listener, host and path.
#[derive(Debug, Clone, Default)]
pub struct RouteTable {}

impl RouteTable {
    /// Index into [`Plan::apps`](super::Plan::apps) of the app that answers.
    ///
    /// `listener` is an index into [`Plan::listeners`](super::Plan::listeners); `host` is lower-case without port or
    /// trailing dot; `path` is percent-decoded and free of dot segments (an encoded `/` still encoded).
    pub fn lookup(&self, _listener: usize, _host: &str, _path: &str) -> Option<usize> {
        None
    }
}
