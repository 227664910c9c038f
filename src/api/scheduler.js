"use strict";
// scheduler.wait(), as Workers have it: a timer as a promise. Nothing of Prioritized Task Scheduling is here.

(function (nano) {
  const { abort } = nano;
  const { TypeError, newPromise } = nano.primordials;
  const { defineInterface, dictionaryOf, long, requireArguments } = nano.webidl;

  const internal = { __proto__: null };

  function toSignal(value) {
    if (!abort.isAbortSignal(value)) throw new TypeError("scheduler.wait: the signal is not an AbortSignal");
    return value;
  }

  const WaitOptions = [{ __proto__: null, key: "signal", convert: toSignal }];

  class Scheduler {
    #brand;

    constructor(key = undefined) {
      if (key !== internal) throw new TypeError("Illegal constructor");
    }

    wait(delay, options = undefined) {
      const { promise, resolve, reject } = newPromise();
      try {
        if (!(#brand in this)) throw new TypeError("Illegal invocation");
        requireArguments(arguments.length, 1, "scheduler.wait");
        const milliseconds = long(delay);
        const { signal } = dictionaryOf(options, WaitOptions, "scheduler.wait's options");
        if (signal !== undefined && abort.isAborted(signal)) throw abort.reasonOf(signal);
        let algorithm;
        const timer = nano.timers.start(() => {
          if (algorithm !== undefined) abort.removeAlgorithm(signal, algorithm);
          resolve();
        }, milliseconds > 0 ? milliseconds : 0);
        if (signal !== undefined) {
          algorithm = abort.addAlgorithm(signal, (reason) => {
            timer.cancel();
            reject(reason);
          });
        }
      } catch (error) {
        reject(error);
      }
      return promise;
    }
  }
  defineInterface(Scheduler);

  nano.expose("Scheduler", Scheduler);
  nano.scheduler = new Scheduler(internal);
});
