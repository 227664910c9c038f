//! HTTP/2 by prior knowledge (RFC 9113 §3.3), on hyper's client.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::PATIENCE;

/// One HTTP/2 connection; its requests share it.
pub struct H2 {
    runtime: Runtime,
    sender: SendRequest<Full<Bytes>>,
}

impl H2 {
    pub fn open(port: u16) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let sender = runtime.block_on(async {
            let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
            tokio::spawn(connection);
            sender
        });
        Self { runtime, sender }
    }

    /// Sends a request and reads its whole answer; an error is a stream that was reset.
    pub fn send(&self, request: Request<Bytes>) -> hyper::Result<Response<Bytes>> {
        self.send_all([request]).pop().expect("one answer to one request")
    }

    /// Sends requests at once, over one connection, and returns their answers in the same order.
    pub fn send_all(&self, requests: impl IntoIterator<Item = Request<Bytes>>) -> Vec<hyper::Result<Response<Bytes>>> {
        self.runtime.block_on(async {
            let ask = |request: Request<Bytes>| {
                let mut sender = self.sender.clone();
                tokio::spawn(timeout(PATIENCE, async move {
                    sender.ready().await?;
                    let (head, body) = sender.send_request(request.map(Full::new)).await?.into_parts();
                    Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
                }))
            };
            let asked: Vec<_> = requests.into_iter().map(ask).collect();
            let mut answers = Vec::new();
            for answer in asked {
                answers.push(answer.await.unwrap().expect("an answer arrives"));
            }
            answers
        })
    }
}
