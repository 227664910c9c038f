//! What the config language has and this build has not. Such a thing is decoded and checked like the rest, then
//! refused where it is written. Whoever builds one deletes its line here, and nothing else.

/// Places of the grammar, as the decoder names them, and what they would bring. `=` asks for one value, or kind of
/// value, of the place.
const UNAVAILABLE: &[(&str, &str)] = &[
    ("watch=#true", "watching app folders"),
    ("admin=beyond-loopback", "an admin address beyond loopback"),
    ("log.syslog", "logging to syslog"),
    ("listener.tls", "TLS"),
    ("listener.http2", "choosing the HTTP version"),
    ("listener.proxy-protocol", "the PROXY protocol"),
    ("app.entry=typescript", "TypeScript"),
    ("app.listen=#false", "an app without a listener, reached through service bindings alone,"),
    ("app.kv", "key-value storage"),
    ("app.sqlite", "SQLite storage"),
    ("app.cache", "the cache"),
    ("app.service", "bindings between apps"),
    ("app.assets", "serving static files"),
    ("app.cron", "scheduled events"),
    ("app.rate-limit", "rate limiting"),
];

/// What `place` would bring, if this build does not have it.
pub(crate) fn unavailable(place: &str) -> Option<&'static str> {
    UNAVAILABLE.iter().find(|(name, _)| *name == place).map(|(_, brings)| *brings)
}
