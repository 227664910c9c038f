//! A request's head in an arena of its own: one bump allocation area per request, reused, holding plain data only.

use std::sync::{Arc, Mutex, PoisonError};

use bumpalo::Bump;
use self_cell::self_cell;

/// Areas kept for reuse, and the most one of them may hold and still be kept.
const KEPT: usize = 256;
const KEPT_BYTES: usize = 64 * 1024;

/// Method, URL and headers of a request, borrowed from its arena.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// As sent: methods are case-sensitive (RFC 9110 §9.1).
    pub method: &'a str,
    /// Absolute: scheme, host, and path and query exactly as the client sent them.
    pub url: &'a str,
    /// Names in lower case, values as bytes, in the order received.
    pub headers: &'a [(&'a str, &'a [u8])],
}

self_cell! {
    struct Cell {
        owner: Bump,
        #[covariant]
        dependent: Head,
    }
}

/// A [`Head`] together with the arena that holds it. Dropping it gives the arena back to its [`Arenas`].
pub struct RequestHead {
    cell: Option<Cell>,
    home: Arc<Arenas>,
}

impl RequestHead {
    /// Copies a head into an arena taken from `home`.
    pub fn new<'a>(
        home: &Arc<Arenas>,
        method: &str,
        url: &[&str],
        headers: impl ExactSizeIterator<Item = (&'a str, &'a [u8])>,
    ) -> Self {
        let cell = Cell::new(home.take(), |bump| Head {
            method: bump.alloc_str(method),
            url: concat(bump, url),
            headers: bump.alloc_slice_fill_iter(headers.map(|(name, value)| {
                let (name, value): (&str, &[u8]) = (bump.alloc_str(name), bump.alloc_slice_copy(value));
                (name, value)
            })),
        });
        Self { cell: Some(cell), home: Arc::clone(home) }
    }

    /// The head itself.
    pub fn get(&self) -> &Head<'_> {
        self.cell.as_ref().expect("only drop takes the cell").borrow_dependent()
    }
}

impl Drop for RequestHead {
    fn drop(&mut self) {
        if let Some(cell) = self.cell.take() {
            self.home.give(cell.into_owner());
        }
    }
}

fn concat<'b>(bump: &'b Bump, parts: &[&str]) -> &'b str {
    let mut text = bumpalo::collections::String::with_capacity_in(parts.iter().map(|part| part.len()).sum(), bump);
    parts.iter().for_each(|part| text.push_str(part));
    text.into_bump_str()
}

/// The arenas that are free now.
#[derive(Default)]
pub struct Arenas(Mutex<Vec<Bump>>);

impl Arenas {
    fn take(&self) -> Bump {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn give(&self, mut bump: Bump) {
        if bump.allocated_bytes() > KEPT_BYTES {
            return;
        }
        bump.reset();
        let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            free.push(bump);
        }
    }
}
