//! For unit tests of the platform: runs a script in a context made from the snapshot.

use std::sync::OnceLock;

use super::{platform, snapshot::Snapshot};

/// V8 and the snapshot, once for all tests of the process.
fn snapshot() -> &'static Snapshot {
    static SNAPSHOT: OnceLock<Snapshot> = OnceLock::new();
    SNAPSHOT.get_or_init(|| {
        platform::initialize(1 << 30);
        Snapshot::build(&crate::api::PLATFORM).expect("the platform's scripts run")
    })
}

/// The completion value of `source` as a string once all microtasks have run (a promise is replaced by its
/// result), or the exception's.
pub fn eval(source: &str) -> Result<String, String> {
    let mut isolate = snapshot().isolate(v8::CreateParams::default());
    v8::scope!(let scope, &mut isolate);
    let context = v8::Context::new(scope, v8::ContextOptions::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    v8::tc_scope!(let scope, scope);
    let source = v8::String::new(scope, source).expect("a test's script is short");
    let value = v8::Script::compile(scope, source, None).and_then(|script| script.run(scope));
    scope.perform_microtask_checkpoint();
    let Some(mut value) = value else {
        let error = scope.stack_trace().or_else(|| scope.exception()).expect("no value, so an exception");
        return Err(error.to_rust_string_lossy(scope));
    };
    if let Ok(promise) = v8::Local::<v8::Promise>::try_from(value) {
        value = promise.result(scope);
        match promise.state() {
            v8::PromiseState::Fulfilled => {}
            v8::PromiseState::Rejected => return Err(value.to_rust_string_lossy(scope)),
            v8::PromiseState::Pending => return Err("the promise never settled".to_owned()),
        }
    }
    Ok(value.to_rust_string_lossy(scope))
}

#[test]
fn a_native_function_that_panics_throws() {
    fn boom(_: &mut v8::PinScope<'_, '_>, _: v8::FunctionCallbackArguments<'_>, _: v8::ReturnValue<'_, v8::Value>) {
        panic!("on purpose, for a test");
    }
    const OPS: &[super::Op] = crate::ops![boom];
    let mut isolate = snapshot().isolate(v8::CreateParams::default());
    v8::scope!(let scope, &mut isolate);
    let context = v8::Context::new(scope, v8::ContextOptions::default());
    let scope = &mut v8::ContextScope::new(scope, context);
    let boom = v8::Function::builder_raw(OPS[0].callback()).build(scope).expect("there is room for a function");
    v8::tc_scope!(let scope, scope);
    let this = v8::undefined(scope).into();
    assert!(boom.call(scope, this, &[]).is_none());
    let error = scope.exception().expect("it throws");
    assert_eq!(error.to_rust_string_lossy(scope), "Error: a mistake of nano's own");
}

#[test]
fn a_context_comes_from_the_snapshot() {
    assert_eq!(
        eval("typeof SharedArrayBuffer + new Intl.NumberFormat('de').format(1234.5)"),
        Ok("undefined1.234,5".into())
    );
}
