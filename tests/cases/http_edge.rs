//! What nano does at the edges of HTTP/1.1, as one table: bytes, outcome, reason.
//!
//! The rule behind it: what two recipients could read in two ways is refused and the connection closed, for another
//! server in front of nano may have taken the other reading, and what one of the two takes for the next request was
//! then never seen as one by the other (request smuggling). Behind every row's bytes stands a further request, `BEHIND`.
//! An outcome lists the statuses that are answered, and then says what became of `BEHIND`: `next`, it was answered as
//! the request it is; `closed`, it was not, and the connection is over. Every row is deliberate: whoever changes one
//! changes what nano promises.
//!
//! Sections are those of RFC 9112 unless another is named.

use super::answers;
use crate::support::{Nano, Setup, together};

/// What follows on the connection.
const BEHIND: &str = "GET /behind HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n\r\n";

type Row = (&'static str, &'static str, &'static str);

#[rustfmt::skip]
const REQUEST_LINE: &[Row] = &[
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "200 next", "a request"),
    ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "200 next", "§2.2: an empty line before it is let pass"),
    ("\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "200 next", "and a few more"),
    ("\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "but not any number"),
    ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "§2.2 allows to take LF alone for a line's end; nano does not"),
    (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "no white space before the method"),
    ("GET / HTTP/1.1\nHost: a\r\n\r\n", "400 closed", "a line ends in CRLF"),
    ("GET / HTTP/1.1\rHost: a\r\n\r\n", "400 closed", "§2.2: a CR alone ends nothing"),
    ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "§3: one space between the parts"),
    ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "the same"),
    ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "a space, not another kind of white space"),
    ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "400 closed", "nothing behind the version"),
    ("GET /\r\nHost: a\r\n\r\n", "400 closed", "HTTP/0.9 is not spoken"),
    ("GET / \r\n\r\n", "400 closed", "nor a line without a version"),
    ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", "400 closed", "nor a line that says so"),
    ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", "400 closed", "nobody has said what HTTP/1.2 is"),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", "400 closed", "HTTP/2 does not look like this"),
    ("GET / HTTP/9.9\r\nHost: a\r\n\r\n", "400 closed", "no such version"),
    ("GET / HTTP/01.1\r\nHost: a\r\n\r\n", "400 closed", "§2.3: one digit, a dot, one digit"),
    ("GET / http/1.1\r\nHost: a\r\n\r\n", "400 closed", "§2.3: the name is case-sensitive"),
    ("GET / ICAP/1.1\r\nHost: a\r\n\r\n", "400 closed", "another protocol"),
    ("Extra lineGET / HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "`lineGET` is no target and `/` no version"),
    ("GE\u{e4}T / HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "RFC 9110 §5.6.2: a method is a token"),
    ("\u{16}\u{3}\u{1}\u{0}\u{c4}\u{1}\u{0}", "400 closed", "a TLS handshake: told at once, for its client waits"),
    ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "200 next", "a method nobody knows is the app's to refuse"),
    ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", "405 closed", "no app is asked for TRACE"),
];

#[rustfmt::skip]
const TARGET_AND_HOST: &[Row] = &[
    ("GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "§3.2: a fragment is no part of a target"),
    ("GET http://a/#c HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "the same"),
    ("GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "no control characters"),
    ("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "an encoded NUL is nobody's path"),
    ("GET /\u{c3}\u{bc} HTTP/1.1\r\nHost: a\r\n\r\n", "200 next", "`/ü` in UTF-8: not allowed by §3.2, but curl sends it, and it is not ambiguous"),
    ("GET /\u{fc} HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "in no encoding that is known"),
    ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "§3.2: none of the four forms"),
    ("GET a/b HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "the same"),
    ("GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "§3.2.3: authority-form is for CONNECT alone"),
    ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "§3.2.4: asterisk-form is for OPTIONS alone"),
    ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "and asks about the server, which is no app"),
    ("OPTIONS */a HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "no form at all"),
    ("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n", "200 next", "a request like any other"),
    ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", "405 closed", "nano is no proxy"),
    ("CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "and CONNECT has a host and a port"),
    ("CONNECT http://a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", "400 closed", "but no scheme"),
    ("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "200 next", "§3.2.2: absolute-form must be accepted"),
    ("GET http://a:80/ HTTP/1.1\r\nHost: A\r\n\r\n", "200 next", "port 80 is no port, and hosts have no case"),
    ("GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", "200 next", "an empty path is `/`"),
    ("GET http://a?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", "200 next", "RFC 9110 §4.2.3: before a query too"),
    ("GET http://a?http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", "200 next", "whatever is in it"),
    ("GET http:///?x=1 HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "but a host there must be"),
    ("GET / HTTP/1.1\r\nHost: 1.2.3.999\r\n\r\n", "400 closed", "URL Standard §3.5: a host that ends in a number is an address"),
    ("GET / HTTP/1.1\r\nHost: a.0x\r\n\r\n", "400 closed", "and this is a number"),
    ("GET / HTTP/1.1\r\nHost: 0x7f.1\r\n\r\n", "400 closed", "the app would see 127.0.0.1"),
    ("GET / HTTP/1.1\r\nHost: xn--a\r\n\r\n", "400 closed", "Punycode for nothing"),
    ("GET / HTTP/1.1\r\nHost: xn--bcher-kva\r\n\r\n", "200 next", "and for something"),
    ("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", "400 closed", "which of the two would be routed by?"),
    ("GET http://a/ HTTP/1.1\r\nHost: a:81\r\n\r\n", "400 closed", "the same"),
    ("GET http://a:8080/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "the same"),
    ("GET http://a/ HTTP/1.1\r\n\r\n", "400 closed", "§3.2: a request without Host is refused, whatever its target says"),
    ("GET http://u:p@a/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "RFC 9110 §4.2.4: user information is no part of it"),
    ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "400 closed", "nobody speaks that here"),
    ("GET / HTTP/1.1\r\n\r\n", "400 closed", "§3.2: no Host"),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400 closed", "§3.2: two Hosts"),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "400 closed", "§3.2: even if they agree"),
    ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "400 closed", "§3.2: nor is a list a host"),
    ("GET / HTTP/1.1\r\nHost: a/../b\r\n\r\n", "400 closed", "§3.2: nor is a path"),
    ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "400 closed", "§3.2: nor user information"),
    ("GET / HTTP/1.1\r\nHost: a:port\r\n\r\n", "400 closed", "§3.2: a port is a number"),
    ("GET / HTTP/1.0\r\n\r\n", "200 closed", "HTTP/1.0 needs no Host"),
    ("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "400 closed", "but two are two"),
];

#[rustfmt::skip]
const FIELDS: &[Row] = &[
    ("GET / HTTP/1.1\r\nhoSt:\ta\r\nempty:\r\n\r\n", "200 next", "names have no case; white space around values is none of theirs"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX:  \t \r\n\r\n", "200 next", "a value may be empty"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{fc}\r\n\r\n", "200 next", "RFC 9110 §5.5: bytes beyond ASCII are opaque, and allowed"),
    ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", "400 closed", "§5.1: white space before the colon is refused"),
    ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n", "400 closed", "the same where it would hide something"),
    ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", "400 closed", "§2.2: white space before the first field"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", "400 closed", "§5.2: line folding is refused"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\tb\r\n\r\n", "400 closed", "the same"),
    ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", "400 closed", "§2.2: a line ends in CRLF"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: b\n\r\n", "400 closed", "the last one too"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\n", "400 closed", "and the empty one"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: b\rY: c\r\n\r\n", "400 closed", "§2.2: a CR alone"),
    ("GET / HTTP/1.1\r\nHost: a\r\n\rX: b\r\n\r\n", "400 closed", "the same where an end could be seen"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", "400 closed", "RFC 9110 §5.5: no NUL"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{7}\r\n\r\n", "400 closed", "nor other control characters"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{7f}\r\n\r\n", "400 closed", "nor DEL"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX[]: b\r\n\r\n", "400 closed", "RFC 9110 §5.1: a name is a token"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX\u{fc}: b\r\n\r\n", "400 closed", "the same"),
    ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", "400 closed", "and not empty"),
    ("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", "400 closed", "a line without a colon is no field"),
];

#[rustfmt::skip]
const LENGTH: &[Row] = &[
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "200 next", "a body"),
    ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "200 next", "of a GET as well: it is there, so it is read past"),
    ("HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "200 next", "and of a HEAD"),
    ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", "200 next", "§6.3: without length or coding there is no body"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "200 next", "nor with none"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 005\r\n\r\nhello", "200 next", "RFC 9110 §8.6: digits, decimal, whatever the first is"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", "400 closed", "no digits"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", "400 closed", "a sign is no digit"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello", "400 closed", "the same"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -123456789123456789123456789\r\n\r\n", "400 closed", "however long"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551621\r\n\r\nhello", "400 closed", "2⁶⁴ + 5 is not 5"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello", "400 closed", "not hexadecimal"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\nhello", "400 closed", "one number"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: abc\r\n\r\nhello", "400 closed", "a number"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "400 closed", "§6.3: two that differ"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 6\r\n\r\nhello", "400 closed", "the same in a list"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "400 closed",
        "§6.3 leaves equal ones to the recipient: nobody honest sends them, and somebody in front may see them otherwise"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello", "400 closed", "the same in a list"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n", "413 closed", "over the app's limit: said before it is sent"),
];

#[rustfmt::skip]
const CODING: &[Row] = &[
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "200 next", "a body of unknown length"),
    ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", "200 next", "§7: codings have no case"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "400 closed",
        "§6.1 allows to prefer the coding; somebody else preferred the length"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 closed", "in either order"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: xchunked\r\n\r\nhello", "400 closed", "also if the coding is none"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\nContent-Length: 5\r\n\r\nhello", "400 closed", "also if it is empty"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "400 closed", "§6.3: where `chunked` is not last, the end cannot be known"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", "400 closed", "the same"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", "400 closed", "the same"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", "400 closed", "two lines are one list"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", "400 closed", "§6.1: once"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 closed", "the same"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip, chunked\r\n\r\n0\r\n\r\n", "400 closed", "the same"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501 closed", "§6.1: well-framed, but nano decodes no gzip"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", "400 closed", "§7.1: `chunked` has no parameters"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", "400 closed", "nor quotes"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", "400 closed", "nor company"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n", "400 closed", "nor other white space"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello", "200 next", "another field, which means nothing"),
    ("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400 closed", "§6.1: HTTP/1.0 knows no codings"),
];

#[rustfmt::skip]
const CHUNKS: &[Row] = &[
    ("5;a=b;c=\"d\"\r\nhello\r\n0\r\n\r\n", "200 next", "§7.1.1: an extension is passed over"),
    ("5 ; a\r\nhello\r\n0\r\n\r\n", "200 next", "§7.1.1: so is white space before it"),
    ("0005\r\nhello\r\n000\r\n\r\n", "200 next", "zeros in front count for nothing"),
    ("0\r\nA: b\r\n\r\n", "200 next", "§7.1.2: trailers are checked and dropped"),
    ("0\r\nContent-Length: 50\r\n\r\n", "200 next", "§7.1.2: and mean nothing"),
    ("5 \r\nhello\r\n0\r\n\r\n", "400 closed", "white space that stands before nothing"),
    (" 5\r\nhello\r\n0\r\n\r\n", "400 closed", "nor in front"),
    ("0x5\r\nhello\r\n0\r\n\r\n", "400 closed", "digits alone"),
    ("+5\r\nhello\r\n0\r\n\r\n", "400 closed", "no sign"),
    ("-1\r\nhello\r\n0\r\n\r\n", "400 closed", "no sign"),
    ("10000000000000005\r\nhello\r\n0\r\n\r\n", "400 closed", "2⁶⁴ + 5 is not 5"),
    ("\r\nhello\r\n0\r\n\r\n", "400 closed", "a size there must be"),
    ("5\nhello\r\n0\r\n\r\n", "400 closed", "a size ends in CRLF"),
    ("5\r\nhello\n0\r\n\r\n", "400 closed", "a chunk ends in CRLF"),
    ("5;a\nb\r\nhello\r\n0\r\n\r\n", "400 closed", "an extension ends in CRLF"),
    ("5;a\rb\r\nhello\r\n0\r\n\r\n", "400 closed", "and contains no CR"),
    ("5\r\nhello!\r\n0\r\n\r\n", "400 closed", "a chunk is as long as it says"),
    ("5\r\nhell\r\n0\r\n\r\n", "400 closed", "the same"),
    ("0\n\r\n", "400 closed", "the last chunk is no exception"),
    ("0\r\n\n", "400 closed", "nor is the end"),
    ("0\r\nA : b\r\n\r\n", "400 closed", "trailers are fields"),
    ("0\r\n A: b\r\n\r\n", "400 closed", "that are not folded"),
    ("0\r\nA: b\n\r\n", "400 closed", "and end in CRLF"),
];

#[rustfmt::skip]
const CONNECTION: &[Row] = &[
    ("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "200 closed", "§9.3: what follows is not read"),
    ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n", "200 closed", "in a list as well"),
    ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", "200 closed", "§9.3: HTTP/1.0 closes"),
    ("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", "200 next", "§9.3: unless it is asked not to"),
    ("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", "200 next",
        "RFC 9113 §3.1: this way to HTTP/2 is gone, and an upgrade may be declined"),
    ("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", "200 next",
        "RFC 9110 §10.1.1: who has sent the body need not be told to"),
    ("GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", "200 next", "nor who has none"),
    ("GET / HTTP/1.1\r\nHost: a\r\nExpect: 200-ok\r\n\r\n", "417 closed", "RFC 9110 §10.1.1: no other expectation can be met"),
    ("GET / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 200-ok\r\n\r\n", "200 next", "RFC 9110 §10.1.1: HTTP/1.0 expects nothing"),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "200 200 next", "§9.3.2: requests may come together"),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n\r\n", "200 next", "§2.2: with an empty line in between"),
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\nGARBAGE\r\n\r\n", "200 400 closed", "what is good is answered, what is not is refused"),
];

/// Beginnings, with nothing behind them: a client that is slow is waited for.
#[rustfmt::skip]
const BEGINNINGS: &[&str] = &[
    "G",
    "GET ",
    "GET /hello",
    "GET /hello ",
    "GET /hello HTTP",
    "GET /hello HTTP/1.1",
    "GET /hello HTTP/1.1\r",
    "GET /hello HTTP/1.1\r\n",
    "GET /hello HTTP/1.1\r\nHos",
    "GET /hello HTTP/1.1\r\nHost:",
    "GET /hello HTTP/1.1\r\nHost: ",
    "GET /hello HTTP/1.1\r\nHost: a",
    "GET /hello HTTP/1.1\r\nHost: a\r",
    "GET /hello HTTP/1.1\r\nHost: a\r\n",
    "GET /hello HTTP/1.1\r\nHost: a\r\n\r",
    "PRI * HTTP/2.0\r\n\r\n",
];

fn start() -> Nano {
    let script = answers("request.text().then((body) => `${url.pathname} ${body}`)");
    let listener = r#"timeouts header="1s""#;
    Setup::new().listener("web", listener).file("any/index.js", script).claim("any", r#"limits body="1KiB""#).start()
}

/// What is answered to these bytes until the connection ends.
fn outcome(nano: &Nano, bytes: &[u8]) -> String {
    let mut conn = nano.connect();
    let _ = conn.try_write(bytes); // nano may refuse before it has read everything
    let mut told = Vec::new();
    let mut method = if bytes.starts_with(b"HEAD") { "HEAD" } else { "GET" };
    while let Ok(Some(answer)) = conn.try_response_to(std::mem::replace(&mut method, "GET")) {
        if answer.text().starts_with("/behind") {
            told.push("next".to_owned());
            break;
        }
        if answer.status >= 400 {
            let code = if answer.status == 413 { "body_too_large" } else { "bad_request" };
            answer.fails(answer.status, code);
        }
        told.push(answer.status.to_string());
    }
    assert!(conn.closed(), "the connection ends: {:?}", String::from_utf8_lossy(bytes));
    if told.last().is_none_or(|last| last != "next") {
        told.push("closed".to_owned());
    }
    told.join(" ")
}

#[track_caller]
fn holds(table: &[Row], before: &str) {
    let nano = start();
    let mut wrong = String::new();
    for (bytes, expected, why) in table {
        // Beyond ASCII a row's characters stand for single bytes (ISO 8859-1), as they do on the wire.
        let mut sent: Vec<u8> = before.bytes().collect();
        sent.extend(bytes.chars().map(|character| u8::try_from(u32::from(character)).unwrap()));
        sent.extend_from_slice(BEHIND.as_bytes());
        let found = outcome(&nano, &sent);
        if found != *expected {
            wrong += &format!("\n{bytes:?}: {found}, not {expected}: {why}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn request_lines_are_read_to_the_letter() {
    holds(REQUEST_LINE, "");
}

#[test]
fn a_request_has_one_target_and_one_host() {
    holds(TARGET_AND_HOST, "");
}

#[test]
fn fields_are_read_to_the_letter() {
    holds(FIELDS, "");
}

#[test]
fn a_length_is_one_number() {
    holds(LENGTH, "");
}

#[test]
fn a_coding_is_chunked_and_stands_alone() {
    holds(CODING, "");
}

#[test]
fn chunks_are_read_to_the_letter() {
    holds(CHUNKS, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
}

#[test]
fn connections_stay_or_close_as_both_sides_know() {
    holds(CONNECTION, "");
}

#[test]
fn a_beginning_is_waited_for_and_then_told_that_it_is_late() {
    let nano = start();
    let told = together(BEGINNINGS.len(), |row| {
        let mut conn = nano.connect();
        conn.write(BEGINNINGS[row]);
        conn.response().outcome()
    });
    for (beginning, told) in BEGINNINGS.iter().zip(told) {
        assert_eq!(told, (408, "request_timeout".to_owned()), "{beginning:?}");
    }
}

#[test]
fn heads_are_bounded_in_every_direction() {
    let nano = start();
    let with = |line: String| {
        let mut conn = nano.connect();
        let _ = conn.try_write(line);
        let answer = conn.response().outcome();
        assert!(conn.closed());
        answer
    };
    let fields =
        |count: usize| format!("GET / HTTP/1.1\r\n{}Host: a\r\nConnection: close\r\n\r\n", "X: y\r\n".repeat(count));
    assert_eq!(with(fields(98)).0, 200);
    assert_eq!(with(fields(99)), (431, "header_too_large".to_owned()));
    let large = |len: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(len));
    assert_eq!(with(large(70_000)), (431, "header_too_large".to_owned()), "a little over the limit");
    assert_eq!(with(large(1_000_000)), (431, "header_too_large".to_owned()), "far over it");
    let target = |len: usize| format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(len));
    assert_eq!(with(target(17_000)), (414, "uri_too_long".to_owned()), "a little over the limit");
    assert_eq!(with(target(1_000_000)), (414, "uri_too_long".to_owned()), "far over it");
}

#[test]
fn every_refusal_is_logged_and_counted() {
    let nano = start();
    for bytes in ["GARBAGE\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"] {
        let mut conn = nano.connect();
        conn.write(bytes);
        let answer = conn.response();
        let id = answer.header("x-request-id").unwrap().to_owned();
        let line = nano.logged("the refusal", |line| line["request_id"] == id.as_str());
        assert_eq!(
            (line["status"].as_u64(), line["error"].as_str()),
            (Some(answer.status.into()), Some("bad_request"))
        );
    }
    assert_eq!(nano.metric("nano_errors_total", &[("app", ""), ("code", "bad_request")]), 2.0);
}
