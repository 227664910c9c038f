//! From an app's files to its handlers: its modules are compiled and evaluated, which may take many turns, for modules may
//! await.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{AppLoop, End};
use crate::plan::EnvValue;
use crate::runtime::pool::LoadError;
use crate::runtime::realm::Entry;
use crate::runtime::{exception, memory, modules};

/// What the app is at.
pub(super) enum Phase {
    /// Its modules are compiled and evaluated, which has taken `used` CPU time, until `deadline` at the latest: a little
    /// before the wall limit of the request that it all began for, so that this is what its client is told.
    Loading {
        used: Duration,
        deadline: Instant,
    },
    Ready,
}

impl AppLoop {
    /// Compiles the app's modules and begins to evaluate them: in the one realm, or in a new one for the next request.
    pub(super) fn load(&mut self) -> Result<(), End> {
        self.phase =
            Phase::Loading { used: Duration::ZERO, deadline: Instant::now() + self.pool.app.limits.wall / 10 * 9 };
        let token = self.realms.prepare(&mut self.base.engine.isolate, &self.state);
        let mut evaluation = Err(LoadError("the app's code could not be run".to_owned()));
        let (state, entry) = (Rc::clone(&self.state), &Arc::clone(&self.pool).app.entry);
        self.turn(token, |scope, _| evaluation = modules::load(scope, &state, entry))?;
        self.evaluation = Some(evaluation.map_err(End::Unloadable)?);
        self.check_loaded()
    }

    /// Once the modules are evaluated, takes the app's handlers from them: a request can begin.
    pub(super) fn check_loaded(&mut self) -> Result<(), End> {
        let Phase::Loading { deadline, .. } = self.phase else { return Ok(()) };
        let Some(evaluation) = self.evaluation.take() else { return Ok(()) };
        let mut installed = Ok(false);
        let app = Arc::clone(&self.pool.app);
        let token = self.realms.prepared();
        self.turn(token, |scope, entry| installed = install(scope, entry, &evaluation, &app.env))?;
        if installed.map_err(End::Unloadable)? {
            self.phase = Phase::Ready;
            if std::mem::replace(&mut self.loaded, true) {
                return Ok(());
            }
            let (modules, cached) = self.state.scripts.counts();
            tracing::debug!(
                app = &*app.name,
                modules,
                cached,
                "loaded; of its larger modules, some came from the code cache"
            );
            let (usage, _) = memory::sample(&mut self.base.engine.isolate, &self.base.worker, 0);
            self.publish(usage);
            self.rested = usage.heap;
            if self.pool.loaded(&self.base.worker) {
                self.base.runtime.room.settles(&self.base.worker, usage.held);
            }
            return Ok(());
        }
        if deadline <= Instant::now() {
            let limit = app.limits.wall;
            let text = format!("its top-level await did not settle within {limit:?} (limits wall)");
            return Err(End::Unloadable(LoadError(text)));
        }
        self.evaluation = Some(evaluation);
        Ok(())
    }
}

/// The evaluation of an app's entry module.
pub(in crate::runtime) struct Evaluation {
    pub(in crate::runtime) module: v8::Global<v8::Module>,
    pub(in crate::runtime) promise: v8::Global<v8::Promise>,
}

/// Takes the app's handlers from its entry module; false while that is still being evaluated.
fn install(
    scope: &mut v8::PinScope<'_, '_>,
    entry: &Entry,
    evaluation: &Evaluation,
    env: &std::collections::BTreeMap<String, EnvValue>,
) -> Result<bool, LoadError> {
    let failed = || LoadError("the app's module could not be installed".to_owned());
    let promise = v8::Local::new(scope, &evaluation.promise);
    match promise.state() {
        v8::PromiseState::Pending => return Ok(false),
        v8::PromiseState::Rejected => {
            let reason = promise.result(scope);
            return Err(LoadError(exception::describe(scope, reason)));
        }
        v8::PromiseState::Fulfilled => {}
    }
    let values = v8::Object::new(scope);
    for (name, value) in env {
        let key = v8::String::new(scope, name).ok_or_else(failed)?;
        let value: v8::Local<'_, v8::Value> = match value {
            EnvValue::String { value, .. } => v8::String::new(scope, value).ok_or_else(failed)?.into(),
            EnvValue::Number(value) => v8::Number::new(scope, *value).into(),
            EnvValue::Bool(value) => v8::Boolean::new(scope, *value).into(),
            EnvValue::Null => v8::null(scope).into(),
        };
        values.create_data_property(scope, key.into(), value).ok_or_else(failed)?;
    }
    let namespace = v8::Local::new(scope, &evaluation.module).get_module_namespace();
    let (install, undefined) = (v8::Local::new(scope, &entry.install), v8::undefined(scope).into());
    let problem = install.call(scope, undefined, &[namespace, values.into()]).ok_or_else(failed)?;
    if problem.is_string() { Err(LoadError(problem.to_rust_string_lossy(scope))) } else { Ok(true) }
}
