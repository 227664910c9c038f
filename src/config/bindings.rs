//! What an app reaches through `env` beside plain values, and what reaches it beside requests: storage, other apps,
//! the clock.

use std::path::PathBuf;

use super::decode::Fields;
use super::global::only;
use super::source::Spanned;
use super::value::{Text, Value};

/// `kv`
#[derive(Debug)]
pub struct Kv {
    /// Its name in `env`.
    pub name: Spanned<String>,
    /// `store`: a `redis://` URL; embedded where there is none
    pub store: Option<Spanned<Text>>,
}

/// `sqlite`
#[derive(Debug)]
pub struct Sqlite {
    /// Its name in `env`.
    pub name: Spanned<String>,
    /// `file`
    pub file: Option<Spanned<PathBuf>>,
}

/// `service`
#[derive(Debug)]
pub struct Service {
    /// Its name in `env`.
    pub name: Spanned<String>,
    /// The app it reaches.
    pub app: Spanned<String>,
}

/// `cron`
#[derive(Debug)]
pub struct Cron {
    /// Five fields: minute, hour, day of month, month, day of week.
    pub schedule: Spanned<String>,
}

const NAME: &str = "a name such as \"DB\"";

impl Kv {
    pub(super) fn decode(mut fields: Fields<'_>) -> Option<Self> {
        let name = fields.argument("a name").and_then(|value| value.string(NAME));
        let store =
            fields.property("store").and_then(|value| value.secret("a URL such as \"redis://127.0.0.1:6379/0\""));
        fields.finish();
        Some(Self { name: name?, store })
    }
}

impl Sqlite {
    pub(super) fn decode(mut fields: Fields<'_>) -> Option<Self> {
        let name = fields.argument("a name").and_then(|value| value.string(NAME));
        let file = fields.property("file").and_then(|value| value.path("a path"));
        fields.finish();
        Some(Self { name: name?, file })
    }
}

impl Service {
    pub(super) fn decode(mut fields: Fields<'_>) -> Option<Self> {
        let name = fields.argument("a name").and_then(|value| value.string(NAME));
        let app = match &name {
            Some(_) => fields.argument("the name of an app").and_then(|value| value.string("the name of an app")),
            None => None,
        };
        fields.finish();
        Some(Self { name: name?, app: app? })
    }
}

impl Cron {
    pub(super) fn decode(fields: Fields<'_>) -> Option<Self> {
        only(fields, "a schedule", Value::schedule).map(|schedule| Self { schedule })
    }
}
