//! A request as its connection hands it over, whichever HTTP that speaks.

use http::{Method, Uri, Version};

use crate::event::Fields;

/// What a client asks, and how.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    /// The target, in the form it was sent in (RFC 9112 §3.2).
    pub(super) uri: Uri,
    pub(super) version: Version,
    pub(super) fields: Fields,
}

/// A request.
#[derive(Debug)]
pub(super) struct Request<B> {
    pub(super) head: Head,
    pub(super) body: B,
}
