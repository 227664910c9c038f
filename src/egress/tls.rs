//! TLS for outgoing connections: one configuration for the process, made when the first app needs it.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::lookup::on_thread;

/// Certificates that are trusted, and sessions to resume.
#[derive(Default)]
pub struct Tls(Mutex<Option<Arc<ClientConfig>>>);

impl Tls {
    /// A connector that offers HTTP/2, then HTTP/1.1.
    pub(super) async fn connector(&self) -> io::Result<TlsConnector> {
        let known = self.lock().clone();
        let config = match known {
            Some(config) => config,
            None => {
                // Reading some hundred certificates takes a while: not on a thread that runs JavaScript.
                let config = on_thread("certificates", configure).await??;
                Arc::clone(self.lock().get_or_insert(config))
            }
        };
        Ok(config.into())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Arc<ClientConfig>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn configure() -> io::Result<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let mut config = builder.with_root_certificates(roots()).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The system's certificates, or those of `SSL_CERT_FILE` and `SSL_CERT_DIR`; Mozilla's where there are none.
fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    native.errors.iter().for_each(|error| tracing::warn!("a certificate of the system's was not read: {error}"));
    let (added, ignored) = roots.add_parsable_certificates(native.certs);
    if added == 0 {
        tracing::warn!(ignored, "the system has no trusted certificates: those built in are used");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    roots
}
