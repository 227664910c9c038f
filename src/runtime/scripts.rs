//! JavaScript modules from their sources: compiled, or deserialised from the code cache, and handed to it later, once
//! the app has run and the functions it needs are compiled too.

use std::cell::{Cell, RefCell};

use v8::script_compiler::{self, CachedData, CompileOptions, NoCacheReason};

use super::code_cache::Key;
use super::memory;
use super::sources::Source;
use super::state::State;

/// A source of fewer bytes is compiled as soon as its code is read (measured with bench/cold).
const SMALLEST: usize = 1024;
/// Bytes of code that one isolate hands to the cache at most: the cache has room for many apps.
const SHARE: usize = 32 << 20;

/// The modules of one isolate whose code is worth keeping.
#[derive(Default)]
pub(super) struct Scripts {
    all: RefCell<Vec<Script>>,
    /// How many, from the first on, have been deserialised or offered to the cache.
    offered: Cell<usize>,
    /// Bytes of code given to the cache.
    given: Cell<usize>,
    deserialised: Cell<usize>,
}

struct Script {
    key: Key,
    text: v8::Global<v8::String>,
    /// What all modules of this source share, whatever realm they are in.
    code: v8::Global<v8::UnboundModuleScript>,
    /// Bytes of its code that the cache has; 0 for none.
    kept: usize,
}

impl Scripts {
    /// Whether some module's code has not been offered to the cache yet.
    pub(super) fn are_left(&self) -> bool {
        self.offered.get() < self.all.borrow().len()
    }

    /// How many modules there are for the cache, and how many came from it.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.all.borrow().len(), self.deserialised.get())
    }

    /// The text of a source that was compiled before, for another realm: V8 finds its code by it.
    fn text<'s>(&self, scope: &v8::PinScope<'s, '_, ()>, key: &Key) -> Option<v8::Local<'s, v8::String>> {
        let all = self.all.borrow();
        all.iter().find(|script| script.key == *key).map(|script| v8::Local::new(scope, &script.text))
    }

    fn add(&self, script: Script) {
        let mut all = self.all.borrow_mut();
        let kept = script.kept;
        all.push(script);
        if kept > 0 {
            self.deserialised.set(self.deserialised.get() + 1);
            // Nothing to be done for it, but those before it come first.
            let (at, last) = (self.offered.get(), all.len() - 1);
            all.swap(at, last);
            self.offered.set(at + 1);
        }
    }
}

/// The module with this source; `name` is its URL and `text` what `source` holds. Its imports are not looked at.
pub(super) fn compile<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &State,
    name: &str,
    source: &Source,
    text: impl FnOnce(&mut v8::PinScope<'s, '_>) -> Option<v8::Local<'s, v8::String>>,
) -> Option<v8::Local<'s, v8::Module>> {
    let name = v8::String::new(scope, name)?;
    let origin = v8::ScriptOrigin::new(scope, name.into(), 0, 0, false, -1, None, false, false, true, None);
    let compile = |scope: &mut v8::PinScope<'s, '_>, text| {
        script_compiler::compile_module(scope, &mut script_compiler::Source::new(text, Some(&origin)))
    };
    if source.bytes.len() < SMALLEST {
        let text = text(scope)?;
        return compile(scope, text);
    }
    let cache = &state.pool.code_cache;
    let key = cache.key(&source.hash);
    if let Some(text) = state.scripts.text(scope, &key) {
        return compile(scope, text);
    }
    let text = text(scope)?;
    let (module, kept) = match cache.read(&state.pool.app.name, &key, |bytes| memory::charge(scope, bytes)) {
        None => (compile(scope, text)?, 0),
        Some(kept) => {
            let data = CachedData::new(kept.code());
            // Dropped before `kept`, whose bytes it points to.
            let mut source = script_compiler::Source::new_with_cached_data(text, Some(&origin), data);
            let options = CompileOptions::ConsumeCodeCache;
            let module = script_compiler::compile_module2(scope, &mut source, options, NoCacheReason::NoReason)?;
            // Where V8 does not like it, it has compiled the source instead.
            let rejected = source.get_cached_data().is_none_or(CachedData::rejected);
            let app = &*state.pool.app.name;
            if rejected && cache.refuses(Some(app), &key) {
                tracing::info!(app, "V8 refused a file of the code cache; it is made anew");
            }
            (module, if rejected { 0 } else { kept.code().len() })
        }
    };
    let code = module.get_unbound_module_script(scope);
    state.scripts.add(Script { key, text: v8::Global::new(scope, text), code: v8::Global::new(scope, code), kept });
    Some(module)
}

/// Offers the code of one module to the cache, the next that has not been.
pub(super) fn offer_next(scope: &mut v8::PinScope<'_, '_>, state: &State) {
    let scripts = &state.scripts;
    if let Some(script) = scripts.all.borrow_mut().get_mut(scripts.offered.get()) {
        scripts.offered.set(scripts.offered.get() + 1);
        script.offer(scope, state);
    }
}

/// Offers the code of all modules of which notably more is compiled by now than the cache has, as long as there is time.
pub(super) fn offer_grown(scope: &mut v8::PinScope<'_, '_>, state: &State, is_time: impl Fn() -> bool) {
    for script in state.scripts.all.borrow_mut().iter_mut() {
        if !is_time() || !state.pool.code_cache.is_writable() {
            return;
        }
        script.offer(scope, state);
    }
}

impl Script {
    fn offer(&mut self, scope: &mut v8::PinScope<'_, '_>, state: &State) {
        let Some(code) = v8::Local::new(scope, &self.code).create_code_cache() else { return };
        let given = state.scripts.given.get() + code.len();
        if code.len() <= self.kept + self.kept / 8 || given > SHARE {
            return;
        }
        let Some(charge) = memory::charge(scope, code.len()) else { return };
        if state.pool.code_cache.write(&self.key, code.to_vec(), charge) {
            self.kept = code.len();
            state.scripts.given.set(given);
        }
    }
}
