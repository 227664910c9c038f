//! The startup snapshot: the core of the web platform, run once, from which every context is made.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::c_void;

use v8::{ExternalReference, Local, OneByteConst};

use super::extension::{self, Extension, Op, Platform, bare_object, string};
use super::parts::{self, Parts};

/// Why there is no snapshot: a fault of the platform's own scripts.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A script did not compile, threw, or is not a function.
    #[error("platform script {name}: {message}")]
    Script {
        /// The script.
        name: &'static str,
        /// V8's message.
        message: String,
    },
    /// V8 refused to serialise the context.
    #[error("V8 could not make a snapshot")]
    Blob,
}

/// A snapshot and what it refers to, all kept for the life of the process.
#[derive(Clone, Copy)]
pub(super) struct Snapshot {
    blob: &'static [u8],
    references: &'static [ExternalReference],
    parts: Parts,
}

// SAFETY: all of it is immutable and lives for ever; the references are addresses of functions and texts.
unsafe impl Send for Snapshot {}
// SAFETY: as above.
unsafe impl Sync for Snapshot {}

/// Index of the entry object among the context's data.
pub(super) const ENTRY: usize = 0;

impl Snapshot {
    /// Runs the scripts of the platform's core and keeps the result, with what V8 has compiled for the warm-up. The
    /// process's first isolate, and the only one until it is done: the read-only heap is shared by all, and made here.
    pub(super) fn build(platform: &'static Platform) -> Result<Self, SnapshotError> {
        let parts = Parts { platform, texts: extension::texts(platform.scripts()) };
        let references = references(parts);
        let mut isolate = v8::Isolate::snapshot_creator(Some(Cow::Borrowed(references)), None);
        isolate.set_slot(parts);
        let run = run(&mut isolate, parts);
        let blob = isolate.create_blob(v8::FunctionCodeHandling::Keep);
        run?;
        let blob: &'static v8::StartupData = Box::leak(Box::new(blob.ok_or(SnapshotError::Blob)?));
        Ok(Self { blob, references, parts })
    }

    /// Takes a snapshot that [`build`](Self::build) gave to another process, of the same V8 and the same `platform`.
    /// In place of `build`: no isolate may have been before. `None` where V8 does not know it for its own.
    pub(super) fn of_another_process(blob: &[u8], platform: &'static Platform) -> Option<Self> {
        // V8 reads words from it.
        let words = vec![0u64; blob.len().div_ceil(size_of::<u64>())].leak();
        // SAFETY: the words have at least so many bytes, and nobody else knows of them.
        let copy = unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u8>(), blob.len()) };
        copy.copy_from_slice(blob);
        let blob: &'static [u8] = copy;
        let parts = Parts { platform, texts: extension::texts(platform.scripts()) };
        v8::StartupData::from(blob).is_valid().then(|| Self { blob, references: references(parts), parts })
    }

    /// Bytes of texts of the core's scripts, which all isolates share and V8 counts in each.
    pub(super) fn shared_texts(&self) -> usize {
        self.parts.texts[..self.parts.platform.core.len()].iter().map(|text| text.len()).sum()
    }

    /// What can be handed to another process.
    pub(super) fn blob(&self) -> &'static [u8] {
        self.blob
    }

    /// An isolate that starts from this snapshot.
    pub(super) fn isolate(&self, params: v8::CreateParams) -> v8::OwnedIsolate {
        let params = params.snapshot_blob(v8::StartupData::from(self.blob));
        let mut isolate = v8::Isolate::new(params.external_references(Cow::Borrowed(self.references)));
        isolate.set_slot(self.parts);
        isolate
    }
}

/// What is outside of V8's heap, in the order by which a snapshot knows it.
fn references(parts: Parts) -> &'static [ExternalReference] {
    let ops = parts.platform.core.iter().flat_map(|script| script.ops());
    let functions = ops.map(|op| ExternalReference { function: op.callback() });
    let fast = parts.platform.core.iter().flat_map(|script| script.ops()).flat_map(Op::fast).flat_map(|fast| {
        let parts = [std::ptr::from_ref(fast).cast(), fast.address(), std::ptr::from_ref(fast.type_info()).cast()];
        parts.map(<*const c_void>::cast_mut)
    });
    let texts = parts.texts.iter().map(|text| std::ptr::from_ref(text).cast_mut().cast());
    let pointers = fast.chain(texts).chain([parts::getter(), std::ptr::null_mut()]);
    let pointers = pointers.map(|pointer| ExternalReference { pointer });
    functions.chain(pointers).collect::<Vec<_>>().leak()
}

fn run(isolate: &mut v8::OwnedIsolate, parts: Parts) -> Result<(), SnapshotError> {
    let Platform { core, warm_up, .. } = parts.platform;
    v8::scope!(let scope, isolate);
    let scripts = {
        // Whatever happens in this context is forgotten, but for the code: scripts share it, whatever context they run in.
        let context = v8::Context::new(scope, v8::ContextOptions::default());
        let scope = &mut v8::ContextScope::new(scope, context);
        let scripts = core.iter().zip(parts.texts).map(|(script, text)| compile(scope, script, text));
        let scripts = scripts.collect::<Result<Vec<_>, _>>()?;
        let (nano, _) = internals(scope, parts.platform);
        evaluate(scope, core, &scripts, nano)?;
        let text = string(scope, warm_up.source);
        let warm = script(scope, warm_up, text)?;
        evaluate(scope, std::slice::from_ref(warm_up), &[warm], nano)?;
        scope.perform_microtask_checkpoint();
        scripts
    };
    let context = v8::Context::new(scope, v8::ContextOptions::default());
    let entry = {
        let scope = &mut v8::ContextScope::new(scope, context);
        let (nano, entry) = internals(scope, parts.platform);
        evaluate(scope, core, &scripts, nano)?;
        entry
    };
    scope.set_default_context(context);
    let index = scope.add_context_data(context, entry);
    debug_assert_eq!(index, ENTRY);
    Ok(())
}

/// The objects `nano`, with the native functions of the core, and `nano.entry`.
fn internals<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    platform: &'static Platform,
) -> (Local<'s, v8::Object>, Local<'s, v8::Object>) {
    let (nano, ops, entry) = (bare_object(scope), bare_object(scope), bare_object(scope));
    let words = string(scope, &words(platform));
    for (name, value) in [("ops", ops.into()), ("entry", entry.into()), ("words", words.into())] {
        let name = string(scope, name);
        nano.set(scope, name.into(), value);
    }
    for script in platform.core {
        script.define_ops(scope, ops).expect("no script has run that could have exhausted the heap");
    }
    lend(scope, "getContinuationPreservedEmbedderData", ops, "carried");
    lend(scope, "setContinuationPreservedEmbedderData", ops, "carry");
    parts::announce(scope, platform, nano);
    (nano, entry)
}

/// Puts a function of V8's own, of those it has for who embeds it, among the native functions.
fn lend(scope: &mut v8::PinScope<'_, '_>, function: &str, ops: Local<'_, v8::Object>, name: &str) {
    let extras = scope.get_current_context().get_extras_binding_object(scope);
    let (function, name) = (string(scope, function), string(scope, name));
    let function = extras.get(scope, function.into()).expect("no script has run that could have put a getter there");
    ops.set(scope, name.into(), function);
}

/// All words in the platform's scripts that begin with a capital, a space on either side: names the scripts may want of
/// `nano.primordials`. One string: names of properties or members of a set stay in V8's table of strings for good.
fn words(platform: &'static Platform) -> String {
    let scripts = platform.scripts().chain([&platform.warm_up]);
    let words = scripts.flat_map(|script| script.source.split(|char: char| !char.is_alphanumeric() && char != '_'));
    let words: HashSet<_> = words.filter(|word| word.starts_with(char::is_uppercase)).collect();
    words.into_iter().fold(" ".to_owned(), |text, word| text + word + " ")
}

/// Compiles a script for any context, from the one place its text is in.
fn compile(
    scope: &mut v8::PinScope<'_, '_>,
    extension: &Extension,
    text: &'static OneByteConst,
) -> Result<v8::Global<v8::UnboundScript>, SnapshotError> {
    let text = v8::String::new_from_onebyte_const(scope, text).expect("far below V8's limit");
    script(scope, extension, text)
}

fn script(
    scope: &mut v8::PinScope<'_, '_>,
    extension: &Extension,
    text: Local<'_, v8::String>,
) -> Result<v8::Global<v8::UnboundScript>, SnapshotError> {
    v8::tc_scope!(let scope, scope);
    let script = extension.compile(scope, text);
    script.map(|script| v8::Global::new(scope, script)).ok_or_else(|| failure(scope, extension))
}

/// Runs scripts in the current context.
fn evaluate(
    scope: &mut v8::PinScope<'_, '_>,
    extensions: &[Extension],
    scripts: &[v8::Global<v8::UnboundScript>],
    nano: Local<'_, v8::Object>,
) -> Result<(), SnapshotError> {
    v8::tc_scope!(let scope, scope);
    for (extension, script) in extensions.iter().zip(scripts) {
        let script = Local::new(scope, script);
        extension::run(scope, script, nano).ok_or_else(|| failure(scope, extension))?;
    }
    Ok(())
}

fn failure(
    scope: &mut v8::PinnedRef<'_, v8::TryCatch<'_, '_, v8::HandleScope<'_>>>,
    extension: &Extension,
) -> SnapshotError {
    let message = match scope.stack_trace().or_else(|| scope.exception()) {
        Some(error) => error.to_rust_string_lossy(scope),
        None => "its completion value is not a function".to_owned(),
    };
    SnapshotError::Script { name: extension.name, message }
}
