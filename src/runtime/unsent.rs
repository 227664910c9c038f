//! Response bytes that have left their isolate and that no client has taken yet. V8 no longer counts them, and whoever
//! asks for much and reads slowly decides how long they stay: each app has an account for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

/// Shorter ones are not worth their books: connections, and chunks per stream, are few enough.
const SMALL: usize = 16 * 1024;

/// One app's account.
pub(crate) struct Unsent {
    used: AtomicUsize,
    /// Bytes with which the app gets no more requests. Twice as much, and those it has cannot answer.
    plenty: usize,
}

impl Unsent {
    pub(super) fn new(plenty: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), plenty })
    }

    /// Whether the app's clients have enough to take as it is.
    pub(super) fn is_plenty(&self) -> bool {
        self.used.load(Ordering::Relaxed) > self.plenty
    }

    /// `data`, charged to the account for as long as any part of it is referred to; `None` if that is full.
    pub(super) fn charge(self: &Arc<Self>, data: Bytes) -> Option<Bytes> {
        let charge = self.charge_size(data.len())?;
        Some(match charge {
            Some(charge) => Bytes::from_owner(Charged { data, _charge: charge }),
            None => data,
        })
    }

    /// Charges so many bytes to the account until what is returned is dropped, if they are worth their books; the outer
    /// `None` if the account is full.
    pub(super) fn charge_size(self: &Arc<Self>, size: usize) -> Option<Option<Charge>> {
        if size <= SMALL {
            return Some(None);
        }
        let most = self.plenty.saturating_mul(2);
        let after = |used: usize| used.checked_add(size).filter(|after| *after <= most);
        self.used.try_update(Ordering::Relaxed, Ordering::Relaxed, after).ok()?;
        Some(Some(Charge { size, account: Arc::clone(self) }))
    }
}

/// Bytes charged to an account.
pub(super) struct Charge {
    size: usize,
    account: Arc<Unsent>,
}

struct Charged {
    data: Bytes,
    _charge: Charge,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.used.fetch_sub(self.size, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_makes_room_and_what_is_small_needs_none() {
        let account = Unsent::new(100_000);
        let charge = |byte: u8, len: usize| account.charge(vec![byte; len].into());
        let mut first = charge(1, 150_000).unwrap();
        assert!(account.is_plenty());
        assert!(charge(2, 50_001).is_none());
        let rest = first.split_off(149_999);
        drop(first);
        assert!(account.is_plenty(), "its last byte keeps a buffer alive");
        assert!(charge(3, SMALL).is_some());
        drop(rest);
        assert!(!account.is_plenty());
        assert!(charge(2, 200_000).is_some());
        let head = account.charge_size(150_000).unwrap();
        assert!(head.is_some() && account.is_plenty());
        drop(head);
        assert!(!account.is_plenty());
    }
}
