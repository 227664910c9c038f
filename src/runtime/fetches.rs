//! The outgoing exchanges of one isolate: by numbers that are unique over all of its realms, each with the request it
//! belongs to. With that request they end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use rustc_hash::FxHashMap;
use tokio::sync::oneshot;

use crate::egress::{Charge, Client, Decoded, Decoder, Download, Egress, Failure, Uploader};

/// The exchanges of one isolate.
pub(crate) struct Fetches {
    client: Client,
    open: RefCell<FxHashMap<u32, Fetch>>,
    last: Cell<u32>,
}

struct Fetch {
    /// The request it belongs to.
    request: u32,
    /// Where a streamed request body goes.
    upload: Option<Uploader>,
    arriving: Rc<RefCell<Arriving>>,
    /// Dropped to give it up.
    _wanted: oneshot::Sender<()>,
}

/// A response's body.
#[derive(Default)]
pub(crate) struct Arriving {
    download: Option<Download>,
    decoder: Option<Decoder>,
    /// Whether the decoder has something to go on with.
    busy: bool,
    /// Who reads.
    reader: Option<Waker>,
}

/// What a read waits for.
pub(crate) enum Input {
    /// The next bytes off the network, or its end.
    Data(Option<Bytes>),
    /// The decoder has enough.
    Busy,
}

impl Fetches {
    pub(super) fn new(egress: Arc<Egress>) -> Self {
        Self { client: Client::new(egress), open: RefCell::default(), last: Cell::new(0) }
    }

    /// What sends.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// A number that no open exchange has; never 0.
    pub(crate) fn next_id(&self) -> u32 {
        let open = self.open.borrow();
        loop {
            self.last.set(self.last.get().wrapping_add(1));
            if self.last.get() != 0 && !open.contains_key(&self.last.get()) {
                return self.last.get();
            }
        }
    }

    /// Begins exchange `id` for `request`; what is returned ends when it is given up.
    pub(crate) fn begin(&self, id: u32, request: u32, upload: Option<Uploader>) -> oneshot::Receiver<()> {
        let (wanted, given_up) = oneshot::channel();
        let fetch = Fetch { request, upload, arriving: Rc::default(), _wanted: wanted };
        self.open.borrow_mut().insert(id, fetch);
        given_up
    }

    /// A response is there. False if nobody wants it any more.
    pub(crate) fn arrived(&self, id: u32, download: Download, decoder: Option<Decoder>) -> bool {
        match self.arriving(id) {
            Some(arriving) => {
                let mut arriving = arriving.borrow_mut();
                (arriving.download, arriving.decoder) = (Some(download), decoder);
                true
            }
            None => false,
        }
    }

    /// The body of a response.
    pub(crate) fn arriving(&self, id: u32) -> Option<Rc<RefCell<Arriving>>> {
        self.open.borrow().get(&id).map(|fetch| Rc::clone(&fetch.arriving))
    }

    /// Where the request's body goes.
    pub(crate) fn upload(&self, id: u32) -> Option<Uploader> {
        self.open.borrow().get(&id).and_then(|fetch| fetch.upload.clone())
    }

    /// Nothing more of the request's body will come.
    pub(crate) fn uploaded(&self, id: u32) {
        if let Some(fetch) = self.open.borrow_mut().get_mut(&id) {
            fetch.upload = None;
        }
    }

    /// Ends an exchange, whatever it is at.
    pub(crate) fn end(&self, id: u32) {
        // Dropped outside of the borrow: that may wake others.
        let ended = self.open.borrow_mut().remove(&id);
        ended.iter().for_each(|fetch| fetch.arriving.borrow_mut().end());
    }

    /// Ends an exchange whose response has a body that nobody wants.
    pub(crate) fn discard(&self, id: u32) {
        if let Some(download) = self.arriving(id).and_then(|arriving| arriving.borrow_mut().download.take()) {
            download.discard();
        }
        self.end(id);
    }

    /// Ends the exchanges of a request that is over.
    pub(super) fn end_request(&self, request: u32) {
        let open = self.open.borrow();
        if open.is_empty() {
            return;
        }
        let ended: Vec<u32> = open.iter().filter(|(_, fetch)| fetch.request == request).map(|(id, _)| *id).collect();
        drop(open);
        ended.into_iter().for_each(|id| self.end(id));
    }
}

impl Arriving {
    /// Whether what comes is not yet what the app reads.
    pub(crate) fn is_encoded(&self) -> bool {
        self.decoder.is_some()
    }

    /// Waits for something to go on with.
    pub(crate) fn poll_input(&mut self, cx: &mut Context<'_>) -> Poll<Result<Input, Failure>> {
        if self.busy {
            return Poll::Ready(Ok(Input::Busy));
        }
        let Some(download) = &mut self.download else { return Poll::Ready(Ok(Input::Data(None))) };
        match download.poll_data(cx) {
            Poll::Ready(data) => Poll::Ready(data.transpose().map(Input::Data)),
            Poll::Pending => {
                self.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Turns that into what the app reads.
    pub(crate) fn decode(
        &mut self,
        input: Input,
        charge: &mut dyn FnMut(usize) -> Option<Charge>,
    ) -> Result<Decoded, Failure> {
        let Some(decoder) = &mut self.decoder else {
            return Ok(match input {
                Input::Data(Some(data)) => Decoded::Chunk(data),
                Input::Data(None) | Input::Busy => Decoded::End,
            });
        };
        if let Input::Data(data) = input {
            decoder.feed(data);
        }
        let decoded = decoder.step(charge)?;
        self.busy = matches!(decoded, Decoded::Chunk(_) | Decoded::Again);
        Ok(decoded)
    }

    fn end(&mut self) {
        (self.download, self.decoder) = (None, None);
        self.busy = false;
        self.reader.take().into_iter().for_each(Waker::wake);
    }
}
