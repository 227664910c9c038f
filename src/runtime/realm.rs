//! An isolate and its realms, made from the snapshot, and the way into them.

use std::ffi::c_void;
use std::rc::Rc;
use std::sync::Arc;

use super::modules::Modules;
use super::worker::Worker;
use super::{RuntimeInner, memory, modules, parts, rejections, snapshot};

/// Young generation of every isolate: small, for there are many; objects that live pass on soon.
const YOUNG_GENERATION: usize = 6 << 20;

/// An isolate and its first realm. Entered on this thread as long as it lives.
pub(super) struct Engine {
    pub(super) realm: Realm,
    pub(super) isolate: v8::OwnedIsolate,
    runtime: Arc<RuntimeInner>,
}

/// A global scope of its own (ECMA-262 §9.3): the web platform as the snapshot has it, and the modules of an app once they
/// are loaded.
pub(super) struct Realm {
    pub(super) context: v8::Global<v8::Context>,
    pub(super) entry: Entry,
    modules: Rc<Modules>,
}

/// What Rust calls in JavaScript.
pub(super) struct Entry {
    /// `install(namespace, env)`: the app's module; returns what is wrong with it, or undefined.
    pub(super) install: v8::Global<v8::Function>,
    /// `fetch(token)`: a request begins.
    pub(super) fetch: v8::Global<v8::Function>,
    /// `abort(token)`: its client left.
    pub(super) abort: v8::Global<v8::Function>,
    /// `drop(token)`: Rust has ended it.
    pub(super) drop: v8::Global<v8::Function>,
    /// `timer(id)`: a timer is due.
    pub(super) timer: v8::Global<v8::Function>,
    /// `rejection(promise, reason, handled)`: a promise was left rejected, or handled late; whether to log it.
    pub(super) rejection: v8::Global<v8::Function>,
}

/// The first realm's context, where only the isolate is at hand.
struct MainContext(v8::Global<v8::Context>);

impl Engine {
    /// Makes an isolate on the calling thread, with the largest limits any app has.
    pub(super) fn new(runtime: &Arc<RuntimeInner>, worker: &Arc<Worker>) -> Self {
        let params = v8::CreateParams::default()
            .array_buffer_allocator(worker.buffers.allocator().make_shared())
            .allow_atomics_wait(false)
            .set_max_old_generation_size_in_bytes(worker.memory_limit())
            .set_max_young_generation_size_in_bytes(YOUNG_GENERATION);
        let mut isolate = runtime.snapshot.isolate(params);
        let sink: Arc<Worker> = Arc::clone(worker);
        runtime.foreground.register(address(&isolate), Arc::downgrade(&sink) as _);
        isolate.set_microtasks_policy(v8::MicrotasksPolicy::Explicit);
        isolate.set_promise_reject_callback(rejections::on_reject);
        isolate.set_host_import_module_dynamically_callback(modules::import_dynamically);
        isolate.set_host_initialize_import_meta_object_callback(modules::initialize_import_meta);
        isolate.set_slot(memory::SharedTexts(runtime.snapshot.shared_texts()));
        memory::watch(&mut isolate, worker);
        let realm = Realm::new(&mut isolate);
        isolate.set_slot(MainContext(realm.context.clone()));
        Self { realm, isolate, runtime: Arc::clone(runtime) }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.runtime.foreground.unregister(address(&self.isolate));
    }
}

impl Realm {
    /// A realm as good as new: what runs in others leaves no trace in it.
    pub(super) fn new(isolate: &mut v8::Isolate) -> Self {
        v8::scope!(let scope, isolate);
        let context = v8::Context::new(scope, v8::ContextOptions::default());
        let scope = &mut v8::ContextScope::new(scope, context);
        // No eval, no new Function: an app's code is its files.
        context.set_allow_generation_from_strings(false);
        let modules = Rc::new(Modules::default());
        context.set_slot(Rc::clone(&modules));
        let entry = scope
            .get_context_data_from_snapshot_once::<v8::Object>(snapshot::ENTRY)
            .expect("the snapshot was made with it");
        complete(scope, entry);
        let entry = Entry {
            install: function(scope, entry, "install"),
            fetch: function(scope, entry, "fetch"),
            abort: function(scope, entry, "abort"),
            drop: function(scope, entry, "drop"),
            timer: function(scope, entry, "timer"),
            rejection: function(scope, entry, "rejection"),
        };
        Self { context: v8::Global::new(scope, context), entry, modules }
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        // They hold on to the context, which holds on to them.
        self.modules.clear();
    }
}

/// What V8's platform calls the isolate.
pub(super) fn address(isolate: &v8::Isolate) -> *mut c_void {
    // SAFETY: only the address is used, as a name.
    let pointer = unsafe { isolate.as_raw_isolate_ptr() };
    // SAFETY: `UnsafeRawIsolatePtr` is a transparent pointer.
    unsafe { std::mem::transmute::<v8::UnsafeRawIsolatePtr, *mut c_void>(pointer) }
}

/// Notes for the platform's scripts what V8 makes with each context, and so no snapshot has.
fn complete(scope: &mut v8::PinScope<'_, '_>, entry: v8::Local<'_, v8::Object>) {
    let global = scope.get_current_context().global(scope);
    let late = v8::String::new(scope, "Float16Array").expect("a short name").into();
    let kept = v8::String::new(scope, "typedArrays").expect("a short name").into();
    let constructor = global.get(scope, late).expect("no app has run that could have changed it");
    let kept = entry.get(scope, kept).and_then(|kept| v8::Local::<v8::Object>::try_from(kept).ok());
    kept.expect("the platform's scripts define it").set(scope, late, constructor);
    parts::announce_late(scope, entry);
}

fn function(
    scope: &mut v8::PinScope<'_, '_>,
    object: v8::Local<'_, v8::Object>,
    name: &str,
) -> v8::Global<v8::Function> {
    let name = v8::String::new(scope, name).expect("a short name");
    let value = object.get(scope, name.into()).expect("the entry object has no getters");
    let function = v8::Local::<v8::Function>::try_from(value).expect("the platform's scripts define every entry point");
    v8::Global::new(scope, function)
}

/// The request that the running code belongs to, 0 for none: V8 carries it along every promise.
pub(super) fn current_request(isolate: &mut v8::Isolate) -> u32 {
    let Some(context) = isolate.get_slot::<MainContext>().map(|slot| slot.0.clone()) else { return 0 };
    v8::scope_with_context!(let scope, isolate, context);
    request_of(scope)
}

/// As [`current_request`], where a scope is at hand.
pub(crate) fn request_of(scope: &v8::PinScope<'_, '_>) -> u32 {
    let data = scope.get_continuation_preserved_embedder_data();
    v8::Local::<v8::Int32>::try_from(data).map_or(0, |token| token.value().cast_unsigned())
}

/// Has the code that runs from now on belong to `request`. The token is carried as a small integer, signed: `context.js` does
/// the same.
pub(super) fn enter_request(scope: &v8::PinScope<'_, '_>, request: u32) {
    let token = v8::Integer::new(scope, request.cast_signed());
    scope.set_continuation_preserved_embedder_data(token.into());
}
