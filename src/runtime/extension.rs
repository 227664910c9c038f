//! What the web platform is made of: scripts, the native functions they call, and parts that come when they are asked for.

use std::panic::{AssertUnwindSafe, catch_unwind};

use v8::fast_api::CFunction;
use v8::{FunctionCallback, Local, MapFnTo, OneByteConst, PinScope};

use super::turn::Verdict;
use super::worker;

/// The web platform.
pub struct Platform {
    /// What is there from the start: it runs while the snapshot is made, in this order.
    pub core: &'static [Extension],
    /// What is there as soon as somebody looks. What most apps do without costs them no memory.
    pub parts: &'static [Part],
    /// Runs after all others in a context of its own, and leaves behind what V8 has compiled for it.
    pub warm_up: Extension,
}

impl Platform {
    /// All scripts but the last.
    pub(super) fn scripts(&self) -> impl Iterator<Item = &'static Extension> + use<> {
        self.core.iter().chain(self.parts.iter().flat_map(|part| part.scripts))
    }
}

/// Scripts that run together, in this order, when one of these names is first asked for. Whatever they find in the global
/// scope then may be the app's: they look at nothing there.
pub struct Part {
    /// The scripts.
    pub scripts: &'static [Extension],
    /// Interfaces and namespaces that they expose.
    pub interfaces: &'static [&'static str],
    /// Operations that they expose.
    pub operations: &'static [&'static str],
    /// Operations that the global scope inherits from one of the interfaces.
    pub inherited: &'static [&'static str],
    /// Namespaces that V8 makes with each context, and so no snapshot has. They find V8's own in `nano.entry`, and expose
    /// what takes its place.
    pub late: &'static [&'static str],
    /// What they leave in `nano` for other scripts.
    pub members: &'static [&'static str],
}

impl Part {
    /// Nothing.
    pub const NONE: Self =
        Self { scripts: &[], interfaces: &[], operations: &[], inherited: &[], late: &[], members: &[] };
}

/// One script of the platform and its native functions.
pub struct Extension {
    /// The script's name in stack traces.
    pub name: &'static str,
    /// A classic script whose completion value is a function of the internal `nano` object. ASCII, comments aside: V8
    /// reads it where it is.
    pub source: &'static str,
    /// Native functions, found under `nano.ops` by the scripts of the same part, and by all if this one is of the core.
    pub ops: &'static [&'static [Op]],
}

/// A native function.
pub struct Op {
    /// Its name under `nano.ops`.
    pub name: &'static str,
    callback: fn() -> FunctionCallback,
    fast: Fast,
}

/// What optimised code may call instead of an op, with arguments of the types it names: without the tens of nanoseconds
/// that it takes V8 to pack and unpack them. It runs no script, and allocates nothing on V8's heap.
pub type Fast = fn() -> &'static [CFunction];

impl Extension {
    /// Its native functions.
    pub fn ops(&self) -> impl Iterator<Item = &'static Op> + use<> {
        self.ops.iter().copied().flatten()
    }

    /// The script, for any context.
    pub(super) fn compile<'s>(
        &self,
        scope: &mut v8::PinScope<'s, '_>,
        text: Local<'_, v8::String>,
    ) -> Option<Local<'s, v8::UnboundScript>> {
        let name = string(scope, self.name).into();
        let origin = v8::ScriptOrigin::new(scope, name, 0, 0, false, 0, None, false, false, false, None);
        v8::Script::compile(scope, text, Some(&origin)).map(|script| script.get_unbound_script(scope))
    }

    /// Its native functions, as properties of `ops`.
    pub(super) fn define_ops(&self, scope: &mut v8::PinScope<'_, '_>, ops: Local<'_, v8::Object>) -> Option<()> {
        for op in self.ops() {
            let function = match op.fast() {
                [] => {
                    let function = v8::Function::builder_raw(op.callback());
                    function.constructor_behavior(v8::ConstructorBehavior::Throw).build(scope)?
                }
                fast => v8::FunctionTemplate::builder_raw(op.callback()).build_fast(scope, fast).get_function(scope)?,
            };
            let name = string(scope, op.name);
            function.set_name(name);
            ops.create_data_property(scope, name.into(), function.into())?;
        }
        Some(())
    }
}

/// Runs a script in the current context, for `nano`. `None` where it threw, or its completion value is no function.
pub(super) fn run(
    scope: &mut v8::PinScope<'_, '_>,
    script: Local<'_, v8::UnboundScript>,
    nano: Local<'_, v8::Object>,
) -> Option<()> {
    let function = script.bind_to_current_context(scope).run(scope)?;
    let function = Local::<v8::Function>::try_from(function).ok()?;
    let undefined = v8::undefined(scope).into();
    function.call(scope, undefined, &[nano.into()]).map(|_| ())
}

/// The texts of scripts, which all isolates read from the same place: V8 keeps a script's text as long as there is a
/// function of it, and a copy in every isolate would be a tenth of its memory.
pub(super) fn texts(scripts: impl Iterator<Item = &'static Extension>) -> &'static [OneByteConst] {
    let texts = scripts.map(|script| v8::String::create_external_onebyte_const(ascii(script.source)));
    texts.collect::<Vec<_>>().leak()
}

/// A script in ASCII, beyond which it has only comments.
fn ascii(source: &str) -> &'static [u8] {
    source.chars().map(|char| if char.is_ascii() { char as u8 } else { b'?' }).collect::<Vec<_>>().leak()
}

/// A name the platform gives.
pub(super) fn string<'s>(scope: &mut v8::PinScope<'s, '_>, text: &str) -> Local<'s, v8::String> {
    v8::String::new(scope, text).expect("the platform's own texts are far below V8's limit")
}

/// An object that inherits nothing.
pub(super) fn bare_object<'s>(scope: &mut v8::PinScope<'s, '_>) -> Local<'s, v8::Object> {
    let null = v8::null(scope).into();
    v8::Object::with_prototype_and_properties(scope, null, &[], &[])
}

impl Op {
    /// An op of that name. [`ops!`](crate::ops) takes the name from the function.
    pub const fn new(name: &'static str, callback: fn() -> FunctionCallback) -> Self {
        Self { name, callback, fast: || &[] }
    }

    /// This op with what optimised code may call in its place.
    pub const fn or(self, fast: Fast) -> Self {
        Self { fast, ..self }
    }

    /// The address V8 calls.
    pub(super) fn callback(&self) -> FunctionCallback {
        (self.callback)()
    }

    /// What optimised code may call instead.
    pub(super) fn fast(&self) -> &'static [CFunction] {
        (self.fast)()
    }
}

/// Turns a function item into the address V8 calls.
pub fn callback<F: MapFnTo<FunctionCallback>>(function: F) -> FunctionCallback {
    function.map_fn_to()
}

/// Calls a native function. A panic must not unwind into V8, where it would end the process: it ends the isolate, and is an
/// exception until it has.
pub fn guard<'s, 'i>(scope: &mut PinScope<'s, 'i>, call: impl FnOnce(&mut PinScope<'s, 'i>)) {
    // Whatever it leaves half done is the isolate's.
    if catch_unwind(AssertUnwindSafe(|| call(scope))).is_err() {
        worker::convict_current(Verdict::Fault);
        let message = string(scope, "a mistake of nano's own");
        let error = v8::Exception::error(scope, message);
        scope.throw_exception(error);
    }
}

/// `ops![now, log]`: a `&'static [Op]` of the functions named; `now or fast_now` is one with a [`Fast`] function.
#[macro_export]
macro_rules! ops {
    ($($function:ident $(or $fast:ident)?),* $(,)?) => {
        &[$($crate::runtime::Op::new(stringify!($function), || {
            fn guarded<'s, 'i>(
                scope: &mut v8::PinScope<'s, 'i>,
                args: v8::FunctionCallbackArguments<'s>,
                rv: v8::ReturnValue<'s, v8::Value>,
            ) {
                $crate::runtime::guard(scope, |scope| $function(scope, args, rv));
            }
            $crate::runtime::callback(guarded)
        })$(.or($fast))?),*]
    };
}
