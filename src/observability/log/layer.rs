//! What the process says by way of `tracing`, as lines of kind `gateway`.
//!
//! Fields become members of their own; `app` and `request_id` are the line's. Dependencies are heard from `warn` on.

use std::fmt;

use tracing::field::Visit;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

use super::Logs;
use super::line::Field;
use crate::plan::Level;

/// Brings `tracing` events into the log.
#[derive(Debug)]
pub struct LogLayer(Logs);

impl LogLayer {
    /// A layer that writes to `logs`.
    pub fn new(logs: Logs) -> Self {
        Self(logs)
    }
}

impl<S: Subscriber> Layer<S> for LogLayer {
    /// Decided once per call site, so that what is never heard costs nothing.
    fn register_callsite(&self, about: &'static Metadata<'static>) -> Interest {
        let ours = about.target().split("::").next() == Some("nano");
        let heard = about.is_event() && (ours || *about.level() <= tracing::Level::WARN);
        if heard { Interest::sometimes() } else { Interest::never() }
    }

    /// The plan's level may change with every reload.
    fn enabled(&self, about: &Metadata<'_>, _: Context<'_, S>) -> bool {
        about.is_event() && level_of(about) >= self.0.0.setup.load().level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        let Said { message, app, request, fields } = said;
        self.0.event(level_of(event.metadata()), request.as_deref(), app.as_deref(), &message, &fields);
    }
}

fn level_of(about: &Metadata<'_>) -> Level {
    match *about.level() {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        _ => Level::Debug,
    }
}

#[derive(Default)]
struct Said {
    message: String,
    app: Option<String>,
    request: Option<String>,
    fields: Vec<(&'static str, Field)>,
}

impl Said {
    fn put(&mut self, field: &tracing::field::Field, value: Field) {
        self.fields.push((field.name(), value));
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &tracing::field::Field, value: &str) {
        match field.name() {
            "message" => value.clone_into(&mut self.message),
            "app" => self.app = Some(value.to_owned()),
            "request_id" => self.request = Some(value.to_owned()),
            // The line's own; and `log`'s, which only say where in a dependency it was.
            "timestamp" | "level" | "kind" => {}
            name if name.starts_with("log.") => {}
            _ => self.put(field, Field::text(value)),
        }
    }

    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_error(&mut self, field: &tracing::field::Field, value: &(dyn std::error::Error + 'static)) {
        self.record_str(field, &value.to_string());
    }

    fn record_u64(&mut self, field: &tracing::field::Field, value: u64) {
        self.put(field, Field::number(value));
    }

    fn record_i64(&mut self, field: &tracing::field::Field, value: i64) {
        self.put(field, Field::literal(value));
    }

    fn record_bool(&mut self, field: &tracing::field::Field, value: bool) {
        self.put(field, Field::literal(value));
    }

    fn record_f64(&mut self, field: &tracing::field::Field, value: f64) {
        // Neither infinities nor NaN are JSON (RFC 8259 §6).
        self.put(field, if value.is_finite() { Field::literal(value) } else { Field::text(value.to_string()) });
    }
}
