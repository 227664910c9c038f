"use strict";
// Two streams of one: Streams Standard §4.9.1, ReadableStreamTee.

(function (nano) {
  const { streams, structuredClone } = nano;
  const { PromiseResolve, Uint8Array, newPromise, uponPromise } = nano.primordials;
  const { isUint8Array } = nano.webidl;
  const { Reader, cloneBytes, create, createBytes } = streams;

  /** What both kinds share: a branch that is cancelled says so to the source once the other one is. */
  class Branches {
    first = undefined;
    second = undefined;
    canceled = [false, false];
    #stream;
    #reasons = [undefined, undefined];
    #finished = newPromise();

    constructor(stream) {
      this.#stream = stream;
    }

    cancel(branch, reason) {
      this.canceled[branch] = true;
      this.#reasons[branch] = reason;
      if (this.canceled[1 - branch]) this.cancelSource([this.#reasons[0], this.#reasons[1]]);
      return this.#finished.promise;
    }

    cancelSource(reason) {
      uponPromise(this.#stream.cancel(reason), this.#finished.resolve, this.#finished.reject);
    }

    /** Nothing more comes. */
    finish() {
      if (!this.canceled[0] || !this.canceled[1]) this.#finished.resolve();
    }

    fail(error) {
      this.first.controller.error(error);
      this.second.controller.error(error);
    }
  }

  /** ReadableStreamDefaultTee; `clone` gives the second branch copies of the chunks. */
  function defaultTee(stream, clone) {
    const reader = new Reader(stream);
    const branches = new Branches(stream);
    const { canceled } = branches;
    let reading = false;
    let readAgain = false;

    const request = {
      chunk(chunk) {
        // A microtask later, so that a reader's closed promise settles before the chunks of a closing stream.
        uponPromise(PromiseResolve(), () => {
          readAgain = false;
          let second = chunk;
          if (clone && !canceled[1]) {
            try {
              second = isUint8Array(chunk) ? new Uint8Array(chunk) : structuredClone(chunk);
            } catch (error) {
              branches.fail(error);
              branches.cancelSource(error);
              return;
            }
          }
          if (!canceled[0]) branches.first.controller.enqueue(chunk);
          if (!canceled[1]) branches.second.controller.enqueue(second);
          reading = false;
          if (readAgain) pull();
        });
      },
      close() {
        reading = false;
        if (!canceled[0]) branches.first.controller.close();
        if (!canceled[1]) branches.second.controller.close();
        branches.finish();
      },
      error() {
        reading = false;
      },
    };

    function pull() {
      if (reading) {
        readAgain = true;
      } else {
        reading = true;
        stream.read(request);
      }
      return PromiseResolve();
    }

    branches.first = create(pull, (reason) => branches.cancel(0, reason), 1);
    branches.second = create(pull, (reason) => branches.cancel(1, reason), 1);
    uponPromise(reader.closed.promise, undefined, (error) => {
      branches.fail(error);
      branches.finish();
    });
    return [branches.first, branches.second];
  }

  /** ReadableByteStreamTee. */
  function byteTee(stream) {
    const branches = new Branches(stream);
    const { canceled } = branches;
    let reader = new Reader(stream);
    let reading = false;
    let readAgain = false;
    let readAgainForSecond = false;

    const branch = (second) => (second ? branches.second : branches.first).controller;

    function forwardError(of) {
      uponPromise(of.closed.promise, undefined, (error) => {
        if (of !== reader) return;
        branches.fail(error);
        branches.finish();
      });
    }

    /** A copy of the chunk; undefined, with the branches failed, if there is no room for it. */
    function clone(chunk) {
      try {
        return cloneBytes(chunk);
      } catch (error) {
        branches.fail(error);
        branches.cancelSource(error);
        return undefined;
      }
    }

    /** Hands a chunk out, a microtask after it has come, and goes on. */
    function handOut(give) {
      uponPromise(PromiseResolve(), () => {
        readAgain = readAgainForSecond = false;
        if (!give()) return;
        reading = false;
        if (readAgain) pull(false);
        else if (readAgainForSecond) pull(true);
      });
    }

    const stop = () => {
      reading = false;
    };

    function useReader(byob) {
      if (reader.byob === byob) return;
      reader.release();
      reader = new Reader(stream, byob);
      forwardError(reader);
    }

    const request = {
      chunk: (chunk) =>
        handOut(() => {
          let second = chunk;
          if (!canceled[0] && !canceled[1]) {
            second = clone(chunk);
            if (second === undefined) return false;
          }
          if (!canceled[0]) branch(false).enqueueOwn(chunk);
          if (!canceled[1]) branch(true).enqueueOwn(second);
          return true;
        }),
      close() {
        reading = false;
        if (!canceled[0]) branch(false).close();
        if (!canceled[1]) branch(true).close();
        branch(false).respondIfPending();
        branch(true).respondIfPending();
        branches.finish();
      },
      error: stop,
    };

    /** Reads into the buffer that a branch's reader brought. */
    function readInto(view, second) {
      useReader(true);
      const mine = second ? 1 : 0;
      const other = 1 - mine;
      stream.readInto(view, 1, {
        chunk: (chunk) =>
          handOut(() => {
            let copy;
            if (!canceled[other]) {
              copy = clone(chunk);
              if (copy === undefined) return false;
            }
            if (!canceled[mine]) branch(second).respondWithNewView(chunk);
            if (copy !== undefined) branch(!second).enqueueOwn(copy);
            return true;
          }),
        close(chunk) {
          reading = false;
          if (!canceled[mine]) branch(second).close();
          if (!canceled[other]) branch(!second).close();
          if (chunk !== undefined) {
            if (!canceled[mine]) branch(second).respondWithNewView(chunk);
            if (!canceled[other]) branch(!second).respondIfPending();
          }
          branches.finish();
        },
        error: stop,
      });
    }

    function pull(second) {
      if (reading) {
        if (second) readAgainForSecond = true;
        else readAgain = true;
        return PromiseResolve();
      }
      reading = true;
      const { byobRequest } = branch(second);
      if (byobRequest === undefined) {
        useReader(false);
        stream.read(request);
      } else {
        readInto(byobRequest.view, second);
      }
      return PromiseResolve();
    }

    branches.first = createBytes(() => pull(false), (reason) => branches.cancel(0, reason));
    branches.second = createBytes(() => pull(true), (reason) => branches.cancel(1, reason));
    forwardError(reader);
    return [branches.first, branches.second];
  }

  /** The two branches; `clone` gives the second one copies of the chunks, as that of a byte stream has anyway. */
  streams.tee = (stream, clone) => (stream.controller.isByte ? byteTee(stream) : defaultTee(stream, clone));
});
