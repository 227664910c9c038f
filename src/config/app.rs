//! `app`: a folder of JavaScript, what it answers and what it may use.

use std::path::PathBuf;

use super::bindings::{Cron, Kv, Service, Sqlite};
use super::decode::Fields;
use super::global::only;
use super::report::Problem;
use super::settings::Settings;
use super::source::{Span, Spanned};
use super::value::Value;

/// `app`
#[derive(Debug)]
pub struct App {
    /// Its name, unique.
    pub name: Spanned<String>,
    /// Its folder.
    pub folder: Option<Spanned<PathBuf>>,
    /// The node's first line.
    pub span: Span,
    /// `entry`
    pub entry: Option<Spanned<String>>,
    /// `listen`
    pub listen: Listen,
    /// `host`; `None` where nothing was said
    pub hosts: Option<Vec<Spanned<String>>>,
    /// `path`; `None` where nothing was said
    pub paths: Option<Vec<Spanned<String>>>,
    /// What `defaults` may say too.
    pub settings: Settings,
    /// `kv`
    pub kv: Vec<Kv>,
    /// `sqlite`
    pub sqlite: Vec<Sqlite>,
    /// `service`
    pub services: Vec<Service>,
    /// `assets`
    pub assets: Option<Spanned<String>>,
    /// `cron`
    pub crons: Vec<Cron>,
}

/// Which listeners an app answers on.
#[derive(Debug)]
pub enum Listen {
    /// Every one: nothing was said.
    All,
    /// Those named.
    On(Vec<Spanned<String>>),
    /// `listen #false`: none.
    Nowhere(Span),
}

impl App {
    /// An app in `folder` that no file speaks of.
    pub fn bare(name: String, folder: PathBuf) -> Self {
        Self {
            name: Spanned::nowhere(name),
            folder: Some(Spanned::nowhere(folder)),
            span: Span::NOWHERE,
            entry: None,
            listen: Listen::All,
            hosts: None,
            paths: None,
            settings: Settings::default(),
            kv: Vec::new(),
            sqlite: Vec::new(),
            services: Vec::new(),
            assets: None,
            crons: Vec::new(),
        }
    }

    pub(super) fn decode(mut fields: Fields<'_>) -> Option<Self> {
        let span = fields.head_span();
        let name = fields.argument("a name").and_then(|value| value.string("a name such as \"shop\""));
        let folder = match &name {
            Some(_) => fields.argument("a folder after its name").and_then(|value| value.path("the path of a folder")),
            None => fields.optional().and_then(|value| value.path("the path of a folder")),
        };
        let entry = fields
            .child("entry")
            .and_then(|fields| only(fields, "a path", |value| value.string("a path inside the app's folder")));
        let listen = fields.child("listen").map_or(Listen::All, Listen::decode);
        let hosts = fields.child("host").map(|fields| strings(fields, "a host name"));
        let paths = fields.child("path").map(|fields| strings(fields, "a path such as \"/api/*\""));
        let settings = Settings::decode(&mut fields);
        let kv = fields.children("kv").into_iter().filter_map(Kv::decode).collect();
        let sqlite = fields.children("sqlite").into_iter().filter_map(Sqlite::decode).collect();
        let services = fields.children("service").into_iter().filter_map(Service::decode).collect();
        let assets = fields
            .child("assets")
            .and_then(|fields| only(fields, "a path", |value| value.string("a folder inside the app's folder")));
        let crons = fields.children("cron").into_iter().filter_map(Cron::decode).collect();
        fields.finish();
        Some(Self {
            name: name?,
            folder,
            span,
            entry,
            listen,
            hosts,
            paths,
            settings,
            kv,
            sqlite,
            services,
            assets,
            crons,
        })
    }
}

impl Listen {
    fn decode(mut fields: Fields<'_>) -> Self {
        let values = fields.arguments("the name of a listener");
        let listen = match values.as_slice() {
            [value] if value.is_false() => {
                value.bool();
                Self::Nowhere(value.span)
            }
            values => Self::On(values.iter().filter_map(|value| Self::name(value)).collect()),
        };
        fields.finish();
        listen
    }

    fn name(value: &Value<'_>) -> Option<Spanned<String>> {
        if value.is_false() {
            let problem = Problem::error("`listen #false` stands alone")
                .at(value.span, "expected the name of a listener")
                .help("it means that the app is on no listener at all");
            value.cx.push(problem);
            return None;
        }
        value.string("the name of a listener, or #false alone")
    }
}

fn strings(mut fields: Fields<'_>, what: &str) -> Vec<Spanned<String>> {
    let all = fields.arguments(what).iter().filter_map(|value| value.string(what)).collect();
    fields.finish();
    all
}
