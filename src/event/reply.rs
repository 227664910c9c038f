//! How replies come back: to the desk of the thread that waits for them, many at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use tokio::sync::oneshot;

use super::{Reply, wake};

/// Takes the replies to one thread's requests, from any thread. [`Desk::run`] hands them on there.
#[derive(Default)]
pub struct Desk(Mutex<Inbox>);

#[derive(Default)]
struct Inbox {
    replies: Vec<(oneshot::Sender<Reply>, Reply)>,
    /// Set only while the desk sleeps.
    waker: Option<Waker>,
}

impl Desk {
    /// A way to reply to one request, and the place where the reply arrives.
    pub fn expect(self: &Arc<Self>) -> (ReplySender, oneshot::Receiver<Reply>) {
        let (sender, receiver) = oneshot::channel();
        (ReplySender { sender, desk: Arc::clone(self) }, receiver)
    }

    /// Hands replies to those who wait, for ever. On the thread of those who wait, a wake-up costs next to nothing.
    pub async fn run(&self) {
        let mut replies = Vec::new();
        loop {
            std::future::poll_fn(|cx| {
                let mut inbox = self.lock();
                if inbox.replies.is_empty() {
                    inbox.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
                std::mem::swap(&mut inbox.replies, &mut replies);
                Poll::Ready(())
            })
            .await;
            for (sender, reply) in replies.drain(..) {
                // Whoever has left does not mind.
                let _ = sender.send(reply);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the one reply to a request.
pub struct ReplySender {
    sender: oneshot::Sender<Reply>,
    desk: Arc<Desk>,
}

impl ReplySender {
    /// Sends it; false if nobody waits for it any more.
    pub fn send(self, reply: Reply) -> bool {
        if self.sender.is_closed() {
            return false;
        }
        let waker = {
            let mut inbox = self.desk.lock();
            inbox.replies.push((self.sender, reply));
            inbox.waker.take()
        };
        wake::wake(waker);
        true
    }
}
