"use strict";
// Readable byte streams, seen from inside: Streams Standard §4.9.5, ReadableByteStreamController. Bodies are such streams.
//
// A buffer that comes from an app, or goes to it, is transferred, so that the bytes are never in two hands at once. What
// the platform has made itself (`enqueueOwn`) nobody else has, and it goes through as it is.

(function (nano) {
  const { streams } = nano;
  const {
    ArrayBuffer, ArrayBufferPrototypeGetByteLength, ArrayBufferPrototypeGetDetached,
    ArrayBufferPrototypeTransferToFixedLength, DataView, MathMin, RangeError, TypeError, TypedArrayPrototypeGetBuffer,
    TypedArrayPrototypeGetByteOffset, TypedArrayPrototypeGetSymbolToStringTag: getKind, TypedArrayPrototypeSet,
    Uint8Array, newList, push, typedArrays,
  } = nano.primordials;
  const { bytesOf, getByteLength } = nano.webidl;
  const { SourceController, Stream } = streams;

  const transfer = ArrayBufferPrototypeTransferToFixedLength;
  const isDetached = ArrayBufferPrototypeGetDetached;

  // What is to become of a pull-into descriptor: its bytes are for a reader of that kind, or, once that has let go, for
  // the queue.
  const BYOB = "byob";
  const DEFAULT = "default";
  const NONE = "none";

  /** §4.7.2 "pull-into descriptor": a buffer that waits to be filled. */
  class PullInto {
    buffer;
    bufferByteLength;
    byteOffset;
    byteLength;
    bytesFilled = 0;
    minimumFill;
    elementSize;
    /** What the view is made by that the reader gets. */
    View;
    readerType;
    next = undefined;

    constructor(buffer, byteOffset, byteLength, minimumFill, elementSize, View, readerType) {
      this.buffer = buffer;
      this.bufferByteLength = ArrayBufferPrototypeGetByteLength(buffer);
      this.byteOffset = byteOffset;
      this.byteLength = byteLength;
      this.minimumFill = minimumFill;
      this.elementSize = elementSize;
      this.View = View;
      this.readerType = readerType;
    }

    /** ReadableByteStreamControllerConvertPullIntoDescriptor. */
    toView() {
      const { View } = this;
      return new View(transfer(this.buffer), this.byteOffset, this.bytesFilled / this.elementSize);
    }
  }

  /** §4.8: what an app's source fills a descriptor by. */
  class ByobRequest {
    controller;
    view;
    /** The ReadableStreamBYOBRequest an app sees. */
    object = undefined;

    constructor(controller, view) {
      this.controller = controller;
      this.view = view;
    }
  }

  class ByteController extends SourceController {
    autoAllocateChunkSize;
    /** The queue: `{ buffer, byteOffset, byteLength, next }`. */
    #head = undefined;
    #tail = undefined;
    queuedSize = 0;
    /** The pull-into descriptors that are pending. */
    #pending = undefined;
    #lastPending = undefined;
    #byobRequest = undefined;

    constructor(stream, pull, cancel, highWaterMark, autoAllocateChunkSize) {
      super(stream, pull, cancel, highWaterMark);
      this.autoAllocateChunkSize = autoAllocateChunkSize;
    }

    get isByte() {
      return true;
    }

    /** ReadableByteStreamControllerGetBYOBRequest: undefined if there is none. */
    get byobRequest() {
      const first = this.#pending;
      if (this.#byobRequest === undefined && first !== undefined) {
        const { buffer, byteOffset, byteLength, bytesFilled } = first;
        const view = new Uint8Array(buffer, byteOffset + bytesFilled, byteLength - bytesFilled);
        this.#byobRequest = new ByobRequest(this, view);
      }
      return this.#byobRequest;
    }

    close() {
      if (!this.canCloseOrEnqueue) return;
      if (this.queuedSize > 0) {
        this.closeRequested = true;
        return;
      }
      const first = this.#pending;
      if (first !== undefined && first.bytesFilled % first.elementSize !== 0) {
        const error = new TypeError("the stream ends within an element of the view to be filled");
        this.error(error);
        throw error;
      }
      this.clearAlgorithms();
      this.stream.close();
    }

    /** §9.1.1 "close" a ReadableStream, for sources of our own. */
    end() {
      try {
        this.close();
      } catch {
        // The reader has been told.
        return;
      }
      this.respondIfPending();
    }

    /** Gives the buffers of readers back that wait on a closed stream. */
    respondIfPending() {
      if (this.#pending !== undefined) this.respond(0);
    }

    enqueue(chunk) {
      if (!this.canCloseOrEnqueue) return;
      const bytes = bytesOf(chunk);
      const byteOffset = TypedArrayPrototypeGetByteOffset(bytes);
      const byteLength = getByteLength(bytes);
      this.#accept(transfer(TypedArrayPrototypeGetBuffer(bytes)), byteOffset, byteLength);
    }

    /** The same for a Uint8Array of ours, not empty, whose buffer nobody else has. */
    enqueueOwn(chunk) {
      if (!this.canCloseOrEnqueue) return;
      const { reader } = this.stream;
      if (this.#pending === undefined && reader !== undefined && reader.waiting > 0) {
        // With a reader that waits the queue is empty.
        reader.shiftRequest().chunk(chunk);
        this.callPullIfNeeded();
        return;
      }
      this.#accept(
        TypedArrayPrototypeGetBuffer(chunk), TypedArrayPrototypeGetByteOffset(chunk), getByteLength(chunk),
      );
    }

    /** ReadableByteStreamControllerEnqueue, once the chunk's buffer is transferred. */
    #accept(buffer, byteOffset, byteLength) {
      const first = this.#pending;
      if (first !== undefined) {
        if (isDetached(first.buffer)) throw new TypeError("the buffer to be filled is detached");
        this.#invalidateRequest();
        first.buffer = transfer(first.buffer);
        if (first.readerType === NONE) this.#enqueueDetached(first);
      }
      const { reader } = this.stream;
      if (reader === undefined) {
        this.#append(buffer, byteOffset, byteLength);
      } else if (!reader.byob) {
        this.#fillReadRequests(reader);
        if (reader.waiting === 0) {
          this.#append(buffer, byteOffset, byteLength);
        } else {
          if (this.#pending !== undefined) this.#shiftPending();
          reader.shiftRequest().chunk(new Uint8Array(buffer, byteOffset, byteLength));
        }
      } else {
        this.#append(buffer, byteOffset, byteLength);
        this.#commitAll(this.#fillPending());
      }
      this.callPullIfNeeded();
    }

    error(error) {
      if (this.stream.state !== "readable") return;
      this.#clearPending();
      this.resetQueue();
      this.clearAlgorithms();
      this.stream.error(error);
    }

    /** ReadableByteStreamControllerRespond. */
    respond(bytesWritten) {
      const first = this.#pending;
      if (this.stream.state === "closed") {
        if (bytesWritten !== 0) throw new TypeError("the stream is closed: there is nothing to respond with");
      } else {
        if (bytesWritten === 0) throw new TypeError("a response of no bytes, and the stream is not closed");
        if (first.bytesFilled + bytesWritten > first.byteLength) throw new RangeError("more bytes than the view has");
      }
      first.buffer = transfer(first.buffer);
      this.#respond(first, bytesWritten);
    }

    /** ReadableByteStreamControllerRespondWithNewView; `view` is a Uint8Array over what the app's view is of. */
    respondWithNewView(view) {
      const first = this.#pending;
      const byteLength = getByteLength(view);
      const buffer = TypedArrayPrototypeGetBuffer(view);
      if (this.stream.state === "closed") {
        if (byteLength !== 0) throw new TypeError("the stream is closed: there is nothing to respond with");
      } else if (byteLength === 0) {
        throw new TypeError("a response of no bytes, and the stream is not closed");
      }
      if (first.byteOffset + first.bytesFilled !== TypedArrayPrototypeGetByteOffset(view)) {
        throw new RangeError("the view does not begin where the request's does");
      }
      if (first.bufferByteLength !== ArrayBufferPrototypeGetByteLength(buffer)) {
        throw new RangeError("the view's buffer is not as long as the request's");
      }
      if (first.bytesFilled + byteLength > first.byteLength) throw new RangeError("the view is longer than the request's");
      first.buffer = transfer(buffer);
      this.#respond(first, byteLength);
    }

    /** ReadableByteStreamControllerRespondInternal. */
    #respond(first, bytesWritten) {
      this.#invalidateRequest();
      if (this.stream.state === "closed") this.#respondClosed(first);
      else this.#respondReadable(first, bytesWritten);
      this.callPullIfNeeded();
    }

    #respondClosed(first) {
      if (first.readerType === NONE) this.#shiftPending();
      const { reader } = this.stream;
      if (reader === undefined || !reader.byob) return;
      const filled = newList();
      while (filled.length < reader.waiting) push(filled, this.#shiftPending());
      this.#commitAll(filled);
    }

    #respondReadable(pullInto, bytesWritten) {
      pullInto.bytesFilled += bytesWritten;
      if (pullInto.readerType === NONE) {
        this.#enqueueDetached(pullInto);
        this.#commitAll(this.#fillPending());
        return;
      }
      if (pullInto.bytesFilled < pullInto.minimumFill) return;
      this.#shiftPending();
      const remainder = pullInto.bytesFilled % pullInto.elementSize;
      if (remainder > 0) {
        const end = pullInto.byteOffset + pullInto.bytesFilled;
        this.#enqueueClone(pullInto.buffer, end - remainder, remainder);
      }
      pullInto.bytesFilled -= remainder;
      const filled = this.#fillPending();
      this.#commit(pullInto);
      this.#commitAll(filled);
    }

    pullSteps(request) {
      if (this.queuedSize > 0) {
        this.#fillReadRequest(request);
        return;
      }
      const size = this.autoAllocateChunkSize;
      if (size !== undefined) {
        let buffer;
        try {
          buffer = new ArrayBuffer(size);
        } catch (error) {
          request.error(error);
          return;
        }
        this.#appendPending(new PullInto(buffer, 0, size, 1, 1, Uint8Array, DEFAULT));
      }
      this.stream.reader.addRequest(request);
      this.callPullIfNeeded();
    }

    /** ReadableByteStreamControllerPullInto. */
    pullInto(view, min, request) {
      const { stream } = this;
      const kind = getKind(view);
      const View = kind === undefined ? DataView : typedArrays[kind];
      const elementSize = kind === undefined ? 1 : View.BYTES_PER_ELEMENT;
      let pullInto;
      try {
        const bytes = bytesOf(view);
        const byteOffset = TypedArrayPrototypeGetByteOffset(bytes);
        const byteLength = getByteLength(bytes);
        const buffer = transfer(TypedArrayPrototypeGetBuffer(bytes));
        pullInto = new PullInto(buffer, byteOffset, byteLength, min * elementSize, elementSize, View, BYOB);
      } catch (error) {
        request.error(error);
        return;
      }
      if (this.#pending === undefined) {
        if (stream.state === "closed") {
          request.close(new View(pullInto.buffer, pullInto.byteOffset, 0));
          return;
        }
        if (this.queuedSize > 0) {
          if (this.#fill(pullInto)) {
            const filled = pullInto.toView();
            this.#handleQueueDrain();
            request.chunk(filled);
            return;
          }
          if (this.closeRequested) {
            const error = new TypeError("the stream ends within an element of the view to be filled");
            this.error(error);
            request.error(error);
            return;
          }
        }
        this.#appendPending(pullInto);
        stream.reader.addRequest(request);
        this.callPullIfNeeded();
        return;
      }
      this.#appendPending(pullInto);
      stream.reader.addRequest(request);
    }

    cancelSteps(reason) {
      this.#clearPending();
      return super.cancelSteps(reason);
    }

    releaseSteps() {
      const first = this.#pending;
      if (first === undefined) return;
      first.readerType = NONE;
      first.next = undefined;
      this.#lastPending = first;
    }

    resetQueue() {
      this.#head = this.#tail = undefined;
      this.queuedSize = 0;
    }

    // The queue.

    /** ReadableByteStreamControllerEnqueueChunkToQueue. */
    #append(buffer, byteOffset, byteLength) {
      const entry = { buffer, byteOffset, byteLength, next: undefined };
      if (this.#head === undefined) this.#head = entry;
      else this.#tail.next = entry;
      this.#tail = entry;
      this.queuedSize += byteLength;
    }

    /** ReadableByteStreamControllerEnqueueClonedChunkToQueue. */
    #enqueueClone(buffer, byteOffset, byteLength) {
      let clone;
      try {
        clone = new Uint8Array(new Uint8Array(buffer, byteOffset, byteLength));
      } catch (error) {
        this.error(error);
        throw error;
      }
      this.#append(TypedArrayPrototypeGetBuffer(clone), 0, byteLength);
    }

    /** ReadableByteStreamControllerEnqueueDetachedPullIntoToQueue. */
    #enqueueDetached(pullInto) {
      if (pullInto.bytesFilled > 0) this.#enqueueClone(pullInto.buffer, pullInto.byteOffset, pullInto.bytesFilled);
      this.#shiftPending();
    }

    #handleQueueDrain() {
      if (this.queuedSize === 0 && this.closeRequested) {
        this.clearAlgorithms();
        this.stream.close();
      } else {
        this.callPullIfNeeded();
      }
    }

    /** ReadableByteStreamControllerFillReadRequestFromQueue. */
    #fillReadRequest(request) {
      const { buffer, byteOffset, byteLength, next } = this.#head;
      this.#head = next;
      this.queuedSize -= byteLength;
      this.#handleQueueDrain();
      request.chunk(new Uint8Array(buffer, byteOffset, byteLength));
    }

    /** ReadableByteStreamControllerProcessReadRequestsUsingQueue. */
    #fillReadRequests(reader) {
      while (reader.waiting > 0 && this.queuedSize > 0) this.#fillReadRequest(reader.shiftRequest());
    }

    // The descriptors that are pending.

    #appendPending(pullInto) {
      if (this.#pending === undefined) this.#pending = pullInto;
      else this.#lastPending.next = pullInto;
      this.#lastPending = pullInto;
    }

    #shiftPending() {
      const first = this.#pending;
      this.#pending = first.next;
      first.next = undefined;
      return first;
    }

    #clearPending() {
      this.#invalidateRequest();
      this.#pending = this.#lastPending = undefined;
    }

    #invalidateRequest() {
      if (this.#byobRequest === undefined) return;
      this.#byobRequest.controller = undefined;
      this.#byobRequest.view = null;
      this.#byobRequest = undefined;
    }

    /** ReadableByteStreamControllerFillPullIntoDescriptorFromQueue: whether it has what its reader wants at least. */
    #fill(pullInto) {
      const { buffer, byteOffset, elementSize } = pullInto;
      let left = MathMin(this.queuedSize, pullInto.byteLength - pullInto.bytesFilled);
      const most = pullInto.bytesFilled + left;
      const aligned = most - (most % elementSize);
      const ready = aligned >= pullInto.minimumFill;
      if (ready) left = aligned - pullInto.bytesFilled;
      while (left > 0) {
        const head = this.#head;
        const length = MathMin(left, head.byteLength);
        TypedArrayPrototypeSet(
          new Uint8Array(buffer, byteOffset + pullInto.bytesFilled, length),
          new Uint8Array(head.buffer, head.byteOffset, length),
        );
        if (head.byteLength === length) {
          this.#head = head.next;
        } else {
          head.byteOffset += length;
          head.byteLength -= length;
        }
        this.queuedSize -= length;
        pullInto.bytesFilled += length;
        left -= length;
      }
      return ready;
    }

    /** ReadableByteStreamControllerProcessPullIntoDescriptorsUsingQueue: those that are full now. */
    #fillPending() {
      const filled = newList();
      while (this.#pending !== undefined && this.queuedSize > 0) {
        if (this.#fill(this.#pending)) push(filled, this.#shiftPending());
      }
      return filled;
    }

    /** ReadableByteStreamControllerCommitPullIntoDescriptor. */
    #commit(pullInto) {
      const { state, reader } = this.stream;
      const view = pullInto.toView();
      const request = reader.shiftRequest();
      if (state === "closed") request.close(view);
      else request.chunk(view);
    }

    #commitAll(filled) {
      for (let i = 0; i < filled.length; i++) this.#commit(filled[i]);
    }
  }

  /** §4.9.1 CreateReadableByteStream: `pull(controller)` and `cancel(reason)` are the platform's own functions. */
  function createBytes(pull, cancel) {
    const stream = new Stream();
    new ByteController(stream, pull, cancel, 0, undefined).start();
    return stream;
  }

  const nothing = () => {};

  /** A stream of one chunk that nobody else has, or of none if `bytes` is undefined. */
  function createFull(bytes) {
    const stream = new Stream();
    const controller = new ByteController(stream, nothing, nothing, 0, undefined);
    if (bytes !== undefined) controller.enqueueOwn(bytes);
    controller.close();
    return stream;
  }

  /** §8.3 CloneAsUint8Array. */
  const cloneBytes = (view) => new Uint8Array(bytesOf(view));

  streams.ByteController = ByteController;
  streams.createBytes = createBytes;
  streams.createFull = createFull;
  streams.cloneBytes = cloneBytes;
});
