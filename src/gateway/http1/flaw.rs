//! What can be wrong with a message. Which status each becomes is for whoever answers to say.

/// Why a request is refused by its form alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::gateway) enum Flaw {
    /// Not what RFC 9112 describes, or open to more than one reading.
    #[error("the message is not well-formed HTTP/1.1")]
    Malformed,
    /// Header fields over the limit in bytes or in number.
    #[error("the header fields are too large")]
    FieldsTooLarge,
    /// A request target beyond any limit.
    #[error("the request target is too long")]
    TargetTooLong,
    /// The body is `chunked`, but encoded in yet another way (RFC 9112 §6.1).
    #[error("the transfer coding is not implemented")]
    Coding,
    /// An expectation other than `100-continue` (RFC 9110 §10.1.1).
    #[error("the expectation cannot be met")]
    Expectation,
    /// The head took too long.
    #[error("the head did not arrive in time")]
    Late,
}
