//! The startup snapshot: the web platform, run once, from which every context is made.

use std::borrow::Cow;

use v8::{ExternalReference, OneByteConst};

use super::extension::Extension;

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

/// A snapshot and the native functions it refers to, both kept for the life of the process.
#[derive(Clone, Copy)]
pub(super) struct Snapshot {
    blob: &'static [u8],
    references: &'static [ExternalReference],
    texts: &'static [OneByteConst],
}

// SAFETY: both are immutable and live for ever; the references are addresses of functions.
unsafe impl Send for Snapshot {}
// SAFETY: as above.
unsafe impl Sync for Snapshot {}

/// What a snapshot refers to, and in which order; to be changed with it.
pub(super) const LAYOUT: &[u8] = b"functions, texts";

/// Index of the entry object among the context's data.
pub(super) const ENTRY: usize = 0;

impl Snapshot {
    /// Runs `extensions` in order and keeps the result, with what V8 has compiled for `warm_up`. The process's first
    /// isolate, and the only one until it is done: the read-only heap is shared by all, and made here.
    pub(super) fn build(extensions: &[Extension], warm_up: &Extension) -> Result<Self, SnapshotError> {
        let texts = texts(extensions);
        let references = references(extensions, texts);
        let mut isolate = v8::Isolate::snapshot_creator(Some(Cow::Borrowed(references)), None);
        let run = run(&mut isolate, extensions, texts, warm_up);
        let blob = isolate.create_blob(v8::FunctionCodeHandling::Keep);
        run?;
        let blob: &'static v8::StartupData = Box::leak(Box::new(blob.ok_or(SnapshotError::Blob)?));
        Ok(Self { blob, references, texts })
    }

    /// Takes a snapshot that [`build`](Self::build) gave to another process, of the same V8 and the same `extensions`.
    /// In place of `build`: no isolate may have been before. `None` where V8 does not know it for its own.
    pub(super) fn of_another_process(blob: &[u8], extensions: &[Extension]) -> Option<Self> {
        // V8 reads words from it.
        let words = vec![0u64; blob.len().div_ceil(size_of::<u64>())].leak();
        // SAFETY: the words have at least so many bytes, and nobody else knows of them.
        let copy = unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u8>(), blob.len()) };
        copy.copy_from_slice(blob);
        let blob: &'static [u8] = copy;
        v8::StartupData::from(blob).is_valid().then(|| {
            let texts = texts(extensions);
            Self { blob, references: references(extensions, texts), texts }
        })
    }

    /// Bytes of the scripts' texts, which all isolates share.
    pub(super) fn text_length(&self) -> usize {
        self.texts.iter().map(|text| text.len()).sum()
    }

    /// What can be handed to another process.
    pub(super) fn blob(&self) -> &'static [u8] {
        self.blob
    }

    /// Parameters for an isolate that starts from this snapshot.
    pub(super) fn params(&self) -> v8::CreateParams {
        v8::CreateParams::default()
            .snapshot_blob(v8::StartupData::from(self.blob))
            .external_references(Cow::Borrowed(self.references))
    }
}

/// The native functions and the scripts' texts, in the order by which a snapshot knows them.
fn references(extensions: &[Extension], texts: &'static [OneByteConst]) -> &'static [ExternalReference] {
    let ops = extensions.iter().flat_map(|extension| extension.ops);
    let functions = ops.map(|op| ExternalReference { function: op.callback() });
    let texts = texts.iter().map(|text| ExternalReference { pointer: std::ptr::from_ref(text).cast_mut().cast() });
    functions.chain(texts).chain([ExternalReference { pointer: std::ptr::null_mut() }]).collect::<Vec<_>>().leak()
}

/// The texts of the scripts, outside of all heaps: V8 keeps the source of a function for as long as the function, and
/// every isolate would have a copy of its own.
fn texts(extensions: &[Extension]) -> &'static [OneByteConst] {
    let text = |extension: &Extension| v8::String::create_external_onebyte_const(ascii(extension.source).as_bytes());
    extensions.iter().map(text).collect::<Vec<_>>().leak()
}

/// The same script without a character beyond ASCII: escapes stand for them in strings and expressions, and are as good
/// in comments.
fn ascii(source: &'static str) -> &'static str {
    if source.is_ascii() {
        return source;
    }
    let mut text = String::with_capacity(source.len() * 2);
    for character in source.chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            text.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text.leak()
}

fn run(
    isolate: &mut v8::OwnedIsolate,
    extensions: &[Extension],
    texts: &'static [OneByteConst],
    warm_up: &Extension,
) -> Result<(), SnapshotError> {
    v8::scope!(let scope, isolate);
    let scripts = {
        // Whatever happens in this context is forgotten, but for the code: scripts share it, whatever context they run in.
        let context = v8::Context::new(scope, v8::ContextOptions::default());
        let scope = &mut v8::ContextScope::new(scope, context);
        let mut scripts = Vec::new();
        for (extension, text) in extensions.iter().zip(texts) {
            let source = v8::String::new_from_onebyte_const(scope, text).expect("a script is far below V8's limit");
            scripts.push(compile(scope, extension, source)?);
        }
        let (nano, _) = internals(scope, extensions);
        evaluate(scope, extensions, &scripts, nano)?;
        let source = string(scope, warm_up.source);
        let warm = compile(scope, warm_up, source)?;
        evaluate(scope, std::slice::from_ref(warm_up), &[warm], nano)?;
        scope.perform_microtask_checkpoint();
        scripts
    };
    let context = v8::Context::new(scope, v8::ContextOptions::default());
    let entry = {
        let scope = &mut v8::ContextScope::new(scope, context);
        let (nano, entry) = internals(scope, extensions);
        evaluate(scope, extensions, &scripts, nano)?;
        entry
    };
    scope.set_default_context(context);
    let index = scope.add_context_data(context, entry);
    debug_assert_eq!(index, ENTRY);
    Ok(())
}

/// The objects `nano`, with all native functions, and `nano.entry`.
fn internals<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    extensions: &[Extension],
) -> (v8::Local<'s, v8::Object>, v8::Local<'s, v8::Object>) {
    let (ops, entry) = (bare_object(scope), bare_object(scope));
    let nano = bare_object(scope);
    set(scope, nano, "ops", ops.into());
    set(scope, nano, "entry", entry.into());
    for op in extensions.iter().flat_map(|extension| extension.ops) {
        let function = v8::Function::builder_raw(op.callback())
            .constructor_behavior(v8::ConstructorBehavior::Throw)
            .build(scope)
            .expect("no script has run that could have exhausted the heap");
        let name = string(scope, op.name);
        function.set_name(name);
        set(scope, ops, op.name, function.into());
    }
    (nano, entry)
}

/// Compiles a script for any context.
fn compile(
    scope: &mut v8::PinScope<'_, '_>,
    extension: &Extension,
    source: v8::Local<'_, v8::String>,
) -> Result<v8::Global<v8::UnboundScript>, SnapshotError> {
    v8::tc_scope!(let scope, scope);
    let name = string(scope, extension.name);
    let origin = v8::ScriptOrigin::new(scope, name.into(), 0, 0, false, 0, None, false, false, false, None);
    let script = v8::Script::compile(scope, source, Some(&origin)).map(|script| script.get_unbound_script(scope));
    script.map(|script| v8::Global::new(scope, script)).ok_or_else(|| failure(scope, extension))
}

/// Runs scripts in the current context.
fn evaluate(
    scope: &mut v8::PinScope<'_, '_>,
    extensions: &[Extension],
    scripts: &[v8::Global<v8::UnboundScript>],
    nano: v8::Local<'_, v8::Object>,
) -> Result<(), SnapshotError> {
    v8::tc_scope!(let scope, scope);
    for (extension, script) in extensions.iter().zip(scripts) {
        let result = (|| {
            let function = v8::Local::new(scope, script).bind_to_current_context(scope).run(scope)?;
            let function = v8::Local::<v8::Function>::try_from(function).ok()?;
            let undefined = v8::undefined(scope).into();
            function.call(scope, undefined, &[nano.into()])
        })();
        if result.is_none() {
            return Err(failure(scope, extension));
        }
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

fn bare_object<'s>(scope: &mut v8::PinScope<'s, '_>) -> v8::Local<'s, v8::Object> {
    let null = v8::null(scope).into();
    v8::Object::with_prototype_and_properties(scope, null, &[], &[])
}

fn set(
    scope: &mut v8::PinScope<'_, '_>,
    object: v8::Local<'_, v8::Object>,
    name: &str,
    value: v8::Local<'_, v8::Value>,
) {
    let name = string(scope, name);
    object.set(scope, name.into(), value);
}

fn string<'s>(scope: &mut v8::PinScope<'s, '_>, text: &str) -> v8::Local<'s, v8::String> {
    v8::String::new(scope, text).expect("the platform's own texts are far below V8's limit")
}
