//! One turn: into JavaScript within its limits, and out again with what it used charged.

use std::time::{Duration, Instant};

use super::loading::Phase;
use super::{AppLoop, End};
use crate::plan::Level;
use crate::runtime::exception;
use crate::runtime::memory::{self, Usage};
use crate::runtime::realm::{self, Engine, Entry};
use crate::runtime::turn::{self, Verdict};

/// Memory is sampled after a turn that took so much CPU time, and every so many turns.
const LONG_TURN: Duration = Duration::from_millis(1);
const SAMPLE_EVERY: u32 = 64;

/// A turn shorter than this is charged by the wall clock.
const SHORT_TURN: Duration = Duration::from_micros(100);

/// A turn is ended for no less: what is left of a request's time may be less than the clock above is late, and a
/// request that is over between two turns ends without harm to the isolate.
const LEAST_BUDGET: Duration = Duration::from_millis(10);

impl AppLoop {
    /// One entry into JavaScript for a request (0: none), and the microtasks that follow.
    pub(super) fn turn(&mut self, token: u32, run: impl FnOnce(&mut v8::PinScope<'_, '_>, &Entry)) -> Result<(), End> {
        if self.state.exhausted(token) {
            return self.end_request(token);
        }
        self.turn_from(Instant::now(), token, run)
    }

    /// A turn that begins now, for a request that has time left.
    pub(super) fn turn_from(
        &mut self,
        began: Instant,
        token: u32,
        run: impl FnOnce(&mut v8::PinScope<'_, '_>, &Entry),
    ) -> Result<(), End> {
        let (budget, wall) = self.budget(token, began);
        self.base.worker.turns.begin(token, self.base.cpu, budget, wall);
        self.base.runtime.watchdog.wake();
        {
            let Engine { isolate, realm: first, .. } = &mut self.base.engine;
            let realm = self.realms.of(token).unwrap_or(first);
            v8::scope_with_context!(let scope, isolate, &realm.context);
            realm::enter_request(scope, token);
            v8::tc_scope!(let scope, scope);
            run(scope, &realm.entry);
            if !scope.has_terminated()
                && let Some(error) = scope.exception()
            {
                // The platform's entry points catch what the app throws: this is a stack overflow, or a fault of ours.
                let text = exception::describe(scope, error);
                self.state.log(Level::Error, token, &text);
            }
            scope.reset();
            if self.base.worker.turns.verdict().is_none() {
                scope.perform_microtask_checkpoint();
                self.state.rejections.report(scope, &self.state, &realm.entry);
            }
        }
        let used = self.account(token, began);
        self.base.worker.turns.end().map_err(End::Condemned)?;
        if used < turn::LONG {
            self.base.runtime.watchdog.readmit(&self.base.worker);
        }
        self.state.flush();
        self.realms.tidy(&self.state);
        Ok(())
    }

    /// CPU time for a turn that begins now, and when it is over the wall limit. That is not when its request is, which may
    /// have waited for others: a client is answered in time whatever runs, and this is about code that runs for too long.
    fn budget(&self, token: u32, now: Instant) -> (Duration, Option<Instant>) {
        match self.phase {
            Phase::Loading { used, deadline } if !self.state.is_live(token) => {
                // The turn that finds at the deadline that nothing has settled is not over it.
                (self.pool.app.limits.startup.saturating_sub(used), Some(deadline + LEAST_BUDGET))
            }
            _ => {
                let (left, timed) = self.state.budget(token);
                (left.max(LEAST_BUDGET), timed.then(|| now + self.pool.app.limits.wall))
            }
        }
    }

    /// Charges the turn's CPU time; now and then reads the memory in use.
    ///
    /// The thread's CPU clock is a system call away, the wall clock is not. In a turn too short for anyone else to have
    /// run in between, they agree; otherwise, and every so many turns, the real one is read.
    fn account(&mut self, token: u32, began: Instant) -> Duration {
        let wall = began.elapsed();
        let used = if wall < SHORT_TURN {
            self.base.cpu += wall;
            wall
        } else {
            let now = turn::thread_cpu();
            let used = now.saturating_sub(self.base.cpu).min(wall);
            self.base.cpu = now;
            used
        };
        self.state.charge(token, used);
        if let Phase::Loading { used: loading, .. } = &mut self.phase
            && !self.state.is_live(token)
        {
            *loading += used;
        }
        if self.base.worker.turns.verdict().is_some() {
            // It is over: a collection now could outlast the watchdog's patience.
            return used;
        }
        self.turns = self.turns.wrapping_add(1);
        let awaited = self.base.worker.share.is_expected() && self.state.has_begun();
        if used < LONG_TURN && !self.turns.is_multiple_of(SAMPLE_EVERY) && !awaited {
            return used;
        }
        // What the loop itself has used since is nobody's.
        self.base.cpu = turn::thread_cpu();
        let worker = &self.base.worker;
        let (usage, fits) = memory::sample(&mut self.base.engine.isolate, worker, 0);
        if !fits {
            worker.turns.condemn(Verdict::Memory);
        }
        self.publish(usage);
        used
    }

    pub(super) fn publish(&mut self, usage: Usage) {
        self.rested = self.rested.min(usage.heap);
        let (room, worker) = (&self.base.runtime.room, &self.base.worker);
        worker.account.publish(usage);
        // Many apps make what they keep at their first request.
        if self.state.has_begun() {
            self.pool.measured(usage.held);
            room.settles(worker, usage.held);
        } else {
            room.takes(worker, usage.held);
        }
    }
}

/// Calls an entry point with a number: a request's token, a timer's id.
pub(super) fn call(scope: &mut v8::PinScope<'_, '_>, function: &v8::Global<v8::Function>, number: u32) {
    let (function, undefined) = (v8::Local::new(scope, function), v8::undefined(scope).into());
    let number = v8::Integer::new_from_unsigned(scope, number);
    // What it throws, the turn logs.
    let _ = function.call(scope, undefined, &[number.into()]);
}
