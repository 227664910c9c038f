//! One request from its head to its last byte: what the log and the metrics will say of it, said exactly once when it
//! is dropped, and the promise that its app learns of a client that left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::body::Intake;
use super::connection::Connection;
use super::listener::View;
use super::request::Head;
use super::target::Malformed;
use super::{AppService, error};
use crate::event::{BodyError, ErrorCode, Exchange, RequestId};
use crate::observability::log::AccessRecord;
use crate::observability::metrics::AppMetrics;

/// A request under way.
pub(super) struct Flight {
    pub(super) connection: Arc<Connection>,
    pub(super) view: Arc<View>,
    pub(super) id: RequestId,
    pub(super) head: Head,
    /// As routing sees it.
    pub(super) host: Result<Arc<str>, Malformed>,
    began: Instant,
    /// When the head was whole: the app's wall limit counts from here.
    pub(super) complete: Instant,
    app: Option<usize>,
    intake: Option<Arc<Intake>>,
    exchange: Option<Arc<dyn Exchange>>,
    status: u16,
    error: Option<ErrorCode>,
    bytes_out: u64,
    /// Handed over whole, or cut for a reason that is noted. If not, it is the client that left.
    delivered: bool,
}

impl Flight {
    /// Boxed: it goes through many hands, and is large.
    pub(super) fn begin(connection: &Arc<Connection>, head: Head) -> Box<Self> {
        let connection = Arc::clone(connection);
        let (began, complete) = connection.activity.began();
        Box::new(Self {
            began,
            complete,
            view: connection.socket.view(),
            id: connection.peer.request_id(&head.fields),
            host: connection.host.of(&head),
            head,
            connection,
            app: None,
            intake: None,
            exchange: None,
            status: error::CLIENT_CLOSED,
            error: None,
            bytes_out: 0,
            delivered: false,
        })
    }

    /// An app has been found: the request counts as its own from here on.
    pub(super) fn route(&mut self, app: usize) {
        self.app = Some(app);
        self.metrics().in_flight(1);
    }

    /// The app that answers.
    pub(super) fn app(&self) -> Option<&AppService> {
        self.app.and_then(|app| self.view.serving.apps.get(app))
    }

    /// The app reads the request's body through `intake`.
    pub(super) fn reads(&mut self, intake: &Arc<Intake>) {
        self.intake = Some(Arc::clone(intake));
    }

    /// The app is at work.
    pub(super) fn runs(&mut self, exchange: Arc<dyn Exchange>) {
        self.exchange = Some(exchange);
    }

    /// Tells the app to stop.
    pub(super) fn abort(&self, cause: ErrorCode) {
        if let Some(exchange) = &self.exchange {
            exchange.abort(cause);
        }
    }

    /// The status that goes out.
    pub(super) fn answers(&mut self, status: u16) {
        self.status = status;
    }

    /// Why the answer is not, or not wholly, the app's.
    pub(super) fn fail(&mut self, code: ErrorCode) {
        self.error = Some(code);
    }

    /// Body bytes were handed over.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.bytes_out += bytes as u64;
    }

    /// All that will go out has been handed over.
    pub(super) fn deliver(&mut self) {
        self.delivered = true;
    }

    /// Whether the app failed for want of a body whose client left before it was whole: no fault of the app's, though
    /// it is left to the app what it says to a client that closed its side alone.
    fn left_amid_body(&self) -> bool {
        let incomplete = self.intake.as_ref().is_some_and(|intake| intake.fault() == Some(BodyError::Incomplete));
        incomplete && self.error == Some(ErrorCode::AppError)
    }

    fn metrics(&self) -> &AppMetrics {
        self.app().map_or_else(|| self.connection.shared.metrics.unrouted(), |app| &app.metrics)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if !self.delivered {
            self.abort(ErrorCode::ClientClosed);
        }
        if !self.delivered || self.left_amid_body() {
            self.status = error::CLIENT_CLOSED;
            self.error = Some(ErrorCode::ClientClosed);
        }
        let duration = self.began.elapsed();
        let metrics = self.metrics();
        metrics.request(self.head.method.as_str(), self.status, duration);
        if let Some(code) = self.error {
            metrics.error(code);
        }
        if self.app.is_some() {
            metrics.in_flight(-1);
        }
        self.connection.shared.logs.access(&AccessRecord {
            app: self.app().map(|app| &*app.app.name),
            request_id: &self.id,
            method: self.head.method.as_str(),
            host: self.host.as_deref().unwrap_or_default(),
            path: self.head.uri.path(),
            status: self.status,
            duration,
            cpu: self.exchange.as_ref().map_or(Duration::ZERO, |exchange| exchange.cpu()),
            bytes_in: self.intake.as_ref().map_or(0, |intake| intake.bytes()),
            bytes_out: self.bytes_out,
            client: &self.connection.peer.client(&self.head.fields, &self.connection.settings.trust_proxy),
            error: self.error,
        });
    }
}
