//! ES modules of an app: found beneath its folder, compiled once, linked.
//!
//! A module's name is a URL with the app's folder as its root: `file:///src/index.js`. That is what stack traces and
//! `import.meta.url` show, and nothing of the machine's own paths.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use rustc_hash::FxHashMap;
use url::Url;

use super::event_loop::Evaluation;
use super::exception;
use super::limits;
use super::memory;
use super::pool::LoadError;
use super::scripts;
use super::state::{self, State};

/// Bytes of the longest specifier: the kernel knows no longer path.
const LONGEST_SPECIFIER: usize = 4096;

/// What a module is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    JavaScript,
    /// `with { type: "json" }`: the default export is the parsed value.
    Json,
    /// `with { type: "text" }`: the default export is a string.
    Text,
    /// `with { type: "bytes" }`: the default export is a `Uint8Array` over an immutable copy.
    Bytes,
    /// A name that ends in `.wasm`: the default export is a `WebAssembly.Module`.
    Wasm,
}

/// The modules one realm has.
#[derive(Default)]
pub(super) struct Modules {
    /// By path and kind.
    compiled: RefCell<FxHashMap<(String, Kind), v8::Global<v8::Module>>>,
    /// What a synthetic module exports.
    exports: ByModule<v8::Global<v8::Value>>,
    paths: ByModule<String>,
}

impl Modules {
    /// Lets go of them all.
    pub(super) fn clear(&self) {
        self.compiled.take();
        self.exports.0.take();
        self.paths.0.take();
    }
}

/// The modules of the current realm.
fn of(scope: &v8::PinScope<'_, '_>) -> Rc<Modules> {
    scope.get_current_context().get_slot().expect("every realm is made with them")
}

/// Something known of a module. V8 gives modules a hash that is not quite unique.
struct ByModule<T>(RefCell<FxHashMap<i32, Entries<T>>>);

type Entries<T> = Vec<(v8::Global<v8::Module>, T)>;

impl<T> Default for ByModule<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T: Clone> ByModule<T> {
    fn insert(&self, scope: &v8::PinScope<'_, '_>, module: v8::Local<'_, v8::Module>, value: T) {
        let entry = (v8::Global::new(scope, module), value);
        self.0.borrow_mut().entry(module.get_identity_hash().get()).or_default().push(entry);
    }

    fn get(&self, module: v8::Local<'_, v8::Module>) -> Option<T> {
        let modules = self.0.borrow();
        let same = modules.get(&module.get_identity_hash().get())?;
        same.iter().find(|(other, _)| *other == module).map(|(_, value)| value.clone())
    }
}

/// Compiles the entry module and all it imports, and begins to evaluate them.
pub(super) fn load(scope: &mut v8::PinScope<'_, '_>, state: &State, entry: &str) -> Result<Evaluation, LoadError> {
    v8::tc_scope!(let scope, scope);
    let evaluation = (|| {
        let module = graph(scope, state, entry.to_owned(), Kind::JavaScript)?;
        module.instantiate_module(scope, resolve)?;
        let promise: v8::Local<'_, v8::Promise> = module.evaluate(scope)?.try_into().ok()?;
        // The event loop sees to a rejection: it is no unhandled one.
        promise.mark_as_handled();
        Some(Evaluation { module: v8::Global::new(scope, module), promise: v8::Global::new(scope, promise) })
    })();
    evaluation.ok_or_else(|| {
        let text = match scope.exception() {
            Some(error) => exception::describe(scope, error),
            None => "its code was ended while it was loading".to_owned(),
        };
        LoadError(text)
    })
}

/// The module at `path` with everything it imports compiled; an exception otherwise.
fn graph<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &State,
    path: String,
    kind: Kind,
) -> Option<v8::Local<'s, v8::Module>> {
    let root = module(scope, state, &path, kind)?;
    let mut open = vec![(root, path)];
    let seen = ByModule::default();
    seen.insert(scope, root, ());
    while let Some((importer, path)) = open.pop() {
        if !importer.is_source_text_module() || importer.get_status() != v8::ModuleStatus::Uninstantiated {
            continue;
        }
        let requests = importer.get_module_requests();
        for index in 0..requests.length() {
            let request: v8::Local<'_, v8::ModuleRequest> = requests.get(scope, index)?.try_into().ok()?;
            let specifier = request.get_specifier().to_rust_string_lossy(scope);
            // Static imports list key, value and source offset of each attribute.
            let kind = kind_of(scope, request.get_import_attributes(), 3);
            let at = importer.source_offset_to_location(request.get_source_offset());
            let place = format!("{}:{}:{}", name(&path), at.get_line_number() + 1, at.get_column_number() + 1);
            let found = kind.and_then(|kind| target(&specifier, &path, kind));
            let (next, kind) = found.map_err(|problem| throw(scope, &format!("{problem}\n    at {place}"))).ok()?;
            if limits::is_condemned(scope) {
                // V8 does not look while it compiles.
                return None;
            }
            let imported = import(scope, state, &next, kind, &place)?;
            if seen.get(imported).is_none() {
                seen.insert(scope, imported, ());
                open.push((imported, next));
            }
        }
    }
    Some(root)
}

/// As [`module`]; what cannot be read is said with the place that imports it.
fn import<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &State,
    path: &str,
    kind: Kind,
    place: &str,
) -> Option<v8::Local<'s, v8::Module>> {
    if let Err(error) = state.pool.sources.load(path) {
        throw(scope, &format!("{}\n    at {place}", unreadable(path, &error)));
        return None;
    }
    module(scope, state, path, kind)
}

/// The module at `path`, compiled; its own imports may not be.
fn module<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    state: &State,
    path: &str,
    kind: Kind,
) -> Option<v8::Local<'s, v8::Module>> {
    if let Some(module) = of(scope).compiled.borrow().get(&(path.to_owned(), kind)) {
        return Some(v8::Local::new(scope, module));
    }
    let source = match state.pool.sources.load(path) {
        Ok(source) => source,
        Err(error) => {
            throw(scope, &unreadable(path, &error));
            return None;
        }
    };
    let module = match kind {
        Kind::JavaScript => {
            scripts::compile(scope, state, &name(path), &source, |scope| text(scope, path, &source.bytes))?
        }
        Kind::Json => {
            let text = text(scope, path, &source.bytes)?;
            let value = json(scope, path, text)?;
            synthetic(scope, path, value)?
        }
        Kind::Text => {
            let value = text(scope, path, &source.bytes)?.into();
            synthetic(scope, path, value)?
        }
        Kind::Bytes => {
            let Some(value) = memory::bytes(scope, &source.bytes) else {
                throw(scope, &format!("{} is larger than the app's memory limit allows", name(path)));
                return None;
            };
            let value = value.into();
            synthetic(scope, path, value)?
        }
        Kind::Wasm => {
            let value = v8::WasmModuleObject::compile(scope, &source.bytes)?.into();
            synthetic(scope, path, value)?
        }
    };
    let handle = v8::Global::new(scope, module);
    of(scope).paths.insert(scope, module, path.to_owned());
    of(scope).compiled.borrow_mut().insert((path.to_owned(), kind), handle);
    Some(module)
}

fn text<'s>(scope: &mut v8::PinScope<'s, '_>, path: &str, bytes: &[u8]) -> Option<v8::Local<'s, v8::String>> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        throw(scope, &format!("{} is not UTF-8", name(path)));
        return None;
    };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let string = v8::String::new(scope, text);
    if string.is_none() {
        throw(scope, &format!("{} is too long for V8", name(path)));
    }
    string
}

/// The value of a JSON text; the exception says which file it is in.
fn json<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    path: &str,
    text: v8::Local<'_, v8::String>,
) -> Option<v8::Local<'s, v8::Value>> {
    let message = {
        v8::tc_scope!(let scope, scope);
        if let Some(value) = v8::json::parse(scope, text) {
            return Some(value);
        }
        scope.message()?.get(scope).to_rust_string_lossy(scope)
    };
    let message = message.trim_start_matches("Uncaught SyntaxError: ");
    if let Some(text) = v8::String::new(scope, &format!("{}: {message}", name(path))) {
        let error = v8::Exception::syntax_error(scope, text);
        scope.throw_exception(error);
    }
    None
}

fn synthetic<'s>(
    scope: &mut v8::PinScope<'s, '_>,
    path: &str,
    value: v8::Local<'_, v8::Value>,
) -> Option<v8::Local<'s, v8::Module>> {
    let (name, default) = (v8::String::new(scope, &name(path))?, v8::String::new(scope, "default")?);
    let module = v8::Module::create_synthetic_module(scope, name, &[default], export_default);
    of(scope).exports.insert(scope, module, v8::Global::new(scope, value));
    Some(module)
}

fn export_default<'s>(
    context: v8::Local<'s, v8::Context>,
    module: v8::Local<'s, v8::Module>,
) -> Option<v8::Local<'s, v8::Value>> {
    // SAFETY: V8 calls this with its context on the stack.
    v8::callback_scope!(unsafe scope, context);
    let value = of(scope).exports.get(module)?;
    let value = v8::Local::new(scope, value);
    let default = v8::String::new(scope, "default")?;
    module.set_synthetic_module_export(scope, default, value)?;
    let resolver = v8::PromiseResolver::new(scope)?;
    let undefined = v8::undefined(scope).into();
    resolver.resolve(scope, undefined)?;
    Some(resolver.get_promise(scope).into())
}

/// V8 asks while it links: everything was compiled before.
fn resolve<'s>(
    context: v8::Local<'s, v8::Context>,
    specifier: v8::Local<'s, v8::String>,
    attributes: v8::Local<'s, v8::FixedArray>,
    referrer: v8::Local<'s, v8::Module>,
) -> Option<v8::Local<'s, v8::Module>> {
    // SAFETY: V8 calls this with its context on the stack.
    v8::callback_scope!(unsafe scope, context);
    let state = state::of(scope);
    let specifier = specifier.to_rust_string_lossy(scope);
    let referrer = of(scope).paths.get(referrer)?;
    let found = kind_of(scope, attributes, 3).and_then(|kind| target(&specifier, &referrer, kind));
    match found {
        Ok((path, kind)) => module(scope, &state, &path, kind),
        Err(problem) => {
            throw(scope, &problem);
            None
        }
    }
}

/// `import(specifier, { with: … })`
pub(super) fn import_dynamically<'s, 'i>(
    scope: &mut v8::PinScope<'s, 'i>,
    _options: v8::Local<'s, v8::Data>,
    referrer: v8::Local<'s, v8::Value>,
    specifier: v8::Local<'s, v8::String>,
    attributes: v8::Local<'s, v8::FixedArray>,
) -> Option<v8::Local<'s, v8::Promise>> {
    let resolver = v8::PromiseResolver::new(scope)?;
    let promise = resolver.get_promise(scope);
    v8::tc_scope!(let scope, scope);
    let state = state::of(scope);
    let evaluation = (|| {
        let specifier = limits::excerpt(scope, specifier);
        let referrer = Url::parse(&referrer.to_rust_string_lossy(scope)).ok();
        let referrer = referrer.as_ref().map_or("", |url| url.path().trim_start_matches('/'));
        let referrer = percent_decode(referrer);
        // Dynamic imports list key and value of each attribute.
        let found = kind_of(scope, attributes, 2).and_then(|kind| target(&specifier, &referrer, kind));
        let (path, kind) = found.map_err(|problem| throw(scope, &problem)).ok()?;
        let module = graph(scope, &state, path, kind)?;
        if module.get_status() == v8::ModuleStatus::Uninstantiated {
            module.instantiate_module(scope, resolve)?;
        }
        let evaluated: v8::Local<'_, v8::Promise> = module.evaluate(scope)?.try_into().ok()?;
        Some((module.get_module_namespace(), evaluated))
    })();
    match evaluation {
        Some((namespace, evaluated)) => {
            let give = v8::Function::builder(give_namespace).data(namespace).build(scope)?;
            // Whatever an app has made of the one it inherits: no script ever sees this promise.
            let (constructor, none) = (v8::String::new(scope, "constructor")?, v8::undefined(scope).into());
            evaluated.create_data_property(scope, constructor.into(), none)?;
            // Settles as the evaluation does, with the namespace for its value.
            return evaluated.then(scope, give);
        }
        // A limit struck while the module ran. Caught here it would be forgotten, and the code that imports would go on.
        None if scope.has_terminated() => drop(scope.terminate_execution()),
        None => {
            let error = scope.exception()?;
            scope.reset();
            resolver.reject(scope, error)?;
        }
    }
    Some(promise)
}

fn give_namespace(
    _scope: &mut v8::PinScope<'_, '_>,
    arguments: v8::FunctionCallbackArguments<'_>,
    mut result: v8::ReturnValue<'_, v8::Value>,
) {
    result.set(arguments.data());
}

/// `import.meta.url`
pub(super) unsafe extern "C" fn initialize_import_meta(
    context: v8::Local<'_, v8::Context>,
    module: v8::Local<'_, v8::Module>,
    meta: v8::Local<'_, v8::Object>,
) {
    // SAFETY: V8 calls this with its context on the stack.
    v8::callback_scope!(unsafe scope, context);
    let Some(path) = of(scope).paths.get(module) else { return };
    if let (Some(key), Some(value)) = (v8::String::new(scope, "url"), v8::String::new(scope, &name(&path))) {
        meta.create_data_property(scope, key.into(), value.into());
    }
}

/// The module's name: a URL beneath the app's folder.
fn name(path: &str) -> String {
    let mut url = Url::parse("file:///").expect("a constant");
    url.path_segments_mut().expect("file URLs have paths").extend(path.split('/'));
    url.into()
}

/// Which file `specifier` means in the module at `referrer`.
fn target(specifier: &str, referrer: &str, kind: Kind) -> Result<(String, Kind), String> {
    if specifier.len() > LONGEST_SPECIFIER {
        return Err("Cannot import a module by a specifier that is longer than any path".to_owned());
    }
    if !["./", "../", "/", "file:///"].iter().any(|prefix| specifier.starts_with(prefix)) {
        return Err(if specifier.starts_with("node:") {
            format!("Cannot import '{specifier}': Node.js built-ins do not exist here")
        } else {
            format!("Cannot import '{specifier}': bare imports are not available in this build; use a relative path")
        });
    }
    let path = match specifier.strip_prefix("file:///").or_else(|| specifier.strip_prefix('/')) {
        Some(path) => join("", path),
        None => join(referrer.rsplit_once('/').map_or("", |(folder, _)| folder), specifier),
    };
    let path = path.ok_or_else(|| format!("Cannot import '{specifier}': it is outside the app's folder"))?;
    match (kind, path.rsplit('.').next()) {
        (Kind::JavaScript, Some("wasm")) => Ok((path, Kind::Wasm)),
        (Kind::JavaScript, Some("ts" | "mts" | "tsx" | "jsx")) => {
            Err(format!("Cannot import '{specifier}': TypeScript and JSX are not available in this build"))
        }
        (Kind::JavaScript, Some("json")) => {
            Err(format!("Cannot import '{specifier}': JSON needs `with {{ type: \"json\" }}`"))
        }
        (kind, _) => Ok((path, kind)),
    }
}

/// Dot segments resolved; `None` where they lead out of the folder. A specifier is a URL: escapes are decoded.
fn join(folder: &str, specifier: &str) -> Option<String> {
    let specifier = specifier.split(['?', '#']).next().unwrap_or_default();
    let mut parts: Vec<String> = folder.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    for part in specifier.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(percent_decode(part)),
        }
    }
    Some(parts.join("/"))
}

fn percent_decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn kind_of(
    scope: &mut v8::PinScope<'_, '_>,
    attributes: v8::Local<'_, v8::FixedArray>,
    stride: usize,
) -> Result<Kind, String> {
    let mut kind = Kind::JavaScript;
    for index in (0..attributes.length()).step_by(stride) {
        let mut part = |at| -> String {
            let value: Option<v8::Local<'_, v8::Value>> =
                attributes.get(scope, at).and_then(|data| data.try_into().ok());
            let value = value.and_then(|value| v8::Local::<v8::String>::try_from(value).ok());
            value.map(|value| limits::excerpt(scope, value)).unwrap_or_default()
        };
        let (key, value) = (part(index), part(index + 1));
        kind = match (key.as_str(), value.as_str()) {
            ("type", "json") => Kind::Json,
            ("type", "text") => Kind::Text,
            ("type", "bytes") => Kind::Bytes,
            ("type", other) => return Err(format!("Unknown module type '{other}': json, text and bytes are known")),
            (other, _) => return Err(format!("Unknown import attribute '{other}': only 'type' is known")),
        };
    }
    Ok(kind)
}

fn unreadable(path: &str, error: &io::Error) -> String {
    let name = name(path);
    match error.raw_os_error() {
        Some(libc::EXDEV) => format!("Cannot find module '{name}': it is outside the app's folder"),
        Some(libc::ENOSYS) => {
            format!("Cannot load module '{name}': this kernel has no openat2 (Linux 5.6 or newer is needed)")
        }
        _ if error.kind() == io::ErrorKind::NotFound => format!("Cannot find module '{name}'"),
        _ => format!("Cannot load module '{name}': {error}"),
    }
}

fn throw(scope: &mut v8::PinScope<'_, '_>, message: &str) {
    if let Some(text) = v8::String::new(scope, message) {
        let error = v8::Exception::type_error(scope, text);
        scope.throw_exception(error);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_resolve_inside_the_folder_only() {
        for (specifier, referrer, expected) in [
            ("./b.js", "a.js", Some("b.js")),
            ("./b.js", "src/a.js", Some("src/b.js")),
            ("../b.js", "src/deep/a.js", Some("src/b.js")),
            ("/b.js", "src/a.js", Some("b.js")),
            ("file:///x/b.js", "src/a.js", Some("x/b.js")),
            ("./[...slug].js", "a.js", Some("[...slug].js")),
            ("./a%20b.js?x#y", "a.js", Some("a b.js")),
            ("../b.js", "a.js", None),
            ("./x/../../b.js", "a.js", None),
            ("/../etc/passwd", "a.js", None),
            ("lodash", "a.js", None),
            ("node:fs", "a.js", None),
            ("./types.ts", "a.js", None),
        ] {
            let found = target(specifier, referrer, Kind::JavaScript).ok().map(|(path, _)| path);
            assert_eq!(found.as_deref(), expected, "{specifier} from {referrer}");
        }
    }

    #[test]
    fn a_specifier_longer_than_any_path_is_not_resolved() {
        let path = |length: usize| format!("./{}", "a/".repeat(length / 2 - 1));
        assert!(target(&path(4096), "a.js", Kind::JavaScript).is_ok());
        let refused = target(&path(4098), "a.js", Kind::JavaScript).unwrap_err();
        assert!(refused.len() < 100, "it does not say all of it: {refused}");
    }

    #[test]
    fn encoded_slashes_stay_inside_too() {
        // The kernel, not this table, keeps what is decoded beneath the folder.
        let (path, _) = target("./..%2f..%2fetc%2fpasswd", "a.js", Kind::JavaScript).unwrap();
        let folder = tempfile::tempdir().unwrap();
        assert!(super::super::sources::Sources::new(folder.path(), 1 << 20).load(&path).is_err());
    }

    #[test]
    fn names_are_urls() {
        assert_eq!(name("src/a b.js"), "file:///src/a%20b.js");
        assert_eq!(name("[...slug].js"), "file:///[...slug].js");
    }
}
