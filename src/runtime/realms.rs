//! Which realm a request runs in: the isolate's first, which all share, or one of its own.

use rustc_hash::FxHashMap;

use super::realm::Realm;
use super::state::State;

/// The realms that requests have to themselves; none where they share one.
pub(super) struct Realms {
    fresh: bool,
    /// For the request that comes next, and its token.
    next: Option<(u32, Realm)>,
    live: FxHashMap<u32, Realm>,
}

impl Realms {
    /// With `fresh`, a realm for every request.
    pub(super) fn new(fresh: bool) -> Self {
        Self { fresh, next: None, live: FxHashMap::default() }
    }

    /// Whether the next request has no realm yet.
    pub(super) fn are_short(&self) -> bool {
        self.fresh && self.next.is_none()
    }

    /// Makes the realm in which the app's modules are to be evaluated, if it is not there already. What they do then is
    /// the work of the token returned: of a request to come, or 0 for nobody's.
    pub(super) fn prepare(&mut self, isolate: &mut v8::Isolate, state: &State) -> u32 {
        if self.fresh {
            self.next = Some((state.prepare(), Realm::new(isolate)));
        }
        self.prepared()
    }

    /// The token of the realm that waits for its request.
    pub(super) fn prepared(&self) -> u32 {
        self.next.as_ref().map_or(0, |(token, _)| *token)
    }

    /// The request it waited for is here.
    pub(super) fn begin(&mut self) {
        self.live.extend(self.next.take());
    }

    /// The realm that belongs to `token` alone.
    pub(super) fn of(&self, token: u32) -> Option<&Realm> {
        let next = self.next.as_ref().filter(|(next, _)| *next == token);
        next.map(|(_, realm)| realm).or_else(|| self.live.get(&token))
    }

    /// Lets go of the realm of a request that is over; false if it had none.
    pub(super) fn end(&mut self, token: u32) -> bool {
        self.live.remove(&token).is_some()
    }

    /// Lets go of the realms whose requests are over.
    pub(super) fn tidy(&mut self, state: &State) {
        if self.live.len() > state.live() {
            self.live.retain(|token, _| state.is_live(*token));
        }
    }
}
