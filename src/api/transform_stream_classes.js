"use strict";
// TransformStream and its controller as an app sees them, and the mixin of all that have a readable and a writable side:
// Streams Standard §6.2, §6.3 and §9.3.

(function (nano) {
  const { streams, transforms, writable } = nano;
  const {
    ObjectDefineProperty, PromisePrototypeThen, PromiseResolve, RangeError, ReflectApply,
    ReflectGetOwnPropertyDescriptor, ReflectOwnKeys, TypeError, isObject, newPromise,
  } = nano.primordials;
  const { callback, defineInterface } = nano.webidl;
  const { Transform } = transforms;
  const { extractHighWaterMark, extractSizeAlgorithm, toStrategy } = nano.queuing;

  const internal = { __proto__: null };

  class TransformStream {
    #stream;

    constructor(transformer = undefined, writableStrategy = undefined, readableStrategy = undefined) {
      if (transformer === internal) {
        // What has the two sides.
        this.#stream = writableStrategy;
        return;
      }
      if (transformer !== undefined && !isObject(transformer)) {
        throw new TypeError("TransformStream: the transformer is not an object");
      }
      const forWritable = toStrategy(writableStrategy);
      const forReadable = toStrategy(readableStrategy);
      const { cancel, flush, start, transform } = toTransformer(transformer);
      const readableMark = extractHighWaterMark(forReadable, 0);
      const readableSize = extractSizeAlgorithm(forReadable);
      const writableMark = extractHighWaterMark(forWritable, 1);
      const writableSize = extractSizeAlgorithm(forWritable);
      const call = (method, args) => (method === undefined ? undefined : ReflectApply(method, transformer, args));
      const started = newPromise();
      const stream = new Transform(
        {
          transform: transform === undefined
            ? (chunk) => stream.enqueue(chunk)
            : (chunk) => call(transform, [chunk, outside(stream)]),
          flush: () => converted(call(flush, [outside(stream)])),
          cancel: (reason) => converted(call(cancel, [reason])),
        },
        later(started.promise),
        { writableMark, writableSize, readableMark, readableSize },
      );
      this.#stream = stream;
      started.resolve(call(start, [outside(stream)]));
    }

    get readable() {
      return streams.wrap(this.#stream.readable);
    }

    get writable() {
      return writable.wrap(this.#stream.writable);
    }

    static {
      transforms.isTransform = (value) => isObject(value) && #stream in value;
      /** Its sides, `readable` and `writable`. */
      transforms.sidesOf = (object) => object.#stream;
      transforms.fromSides = (sides) => new TransformStream(internal, sides);
    }
  }

  /**
   * The same two microtasks later: as long as it takes the language to see that one promise was resolved with another, as
   * the standard has it where a promise is given. The two sides hear of start, flush and cancel in the order it says.
   */
  const later = (promise) => PromisePrototypeThen(PromisePrototypeThen(promise));
  const converted = (result) => (isObject(result) ? later(PromiseResolve(result)) : result);

  /** §6.2.3: the transformer's members, in Web IDL's order. */
  function toTransformer(object) {
    const transformer = { cancel: undefined, flush: undefined, start: undefined, transform: undefined };
    if (object === undefined) return transformer;
    const { cancel } = object;
    if (cancel !== undefined) transformer.cancel = callback(cancel, "the transformer's cancel");
    const { flush } = object;
    if (flush !== undefined) transformer.flush = callback(flush, "the transformer's flush");
    const { readableType } = object;
    const { start } = object;
    if (start !== undefined) transformer.start = callback(start, "the transformer's start");
    const { transform } = object;
    if (transform !== undefined) transformer.transform = callback(transform, "the transformer's transform");
    const { writableType } = object;
    if (readableType !== undefined) throw new RangeError("TransformStream: readableType is not to be given");
    if (writableType !== undefined) throw new RangeError("TransformStream: writableType is not to be given");
    return transformer;
  }

  const outside = (transform) => {
    transform.object ??= new TransformStreamDefaultController(internal, transform);
    return transform.object;
  };

  class TransformStreamDefaultController {
    #transform;

    constructor(key = undefined, transform = undefined) {
      if (key !== internal) throw new TypeError("Illegal constructor");
      this.#transform = transform;
    }

    get desiredSize() {
      return this.#transform.desiredSize;
    }

    enqueue(chunk = undefined) {
      this.#transform.enqueue(chunk);
    }

    error(reason = undefined) {
      this.#transform.error(reason);
    }

    terminate() {
      this.#transform.terminate();
    }
  }

  /** §9.3.2 GenericTransformStream: gives a class both sides of the Transform that `of(object)` is; it throws on others. */
  function genericTransform(Class, of) {
    const members = {
      get readable() {
        return streams.wrap(of(this).readable);
      },

      get writable() {
        return writable.wrap(of(this).writable);
      },
    };
    const names = ReflectOwnKeys(members);
    for (let i = 0; i < names.length; i++) {
      const { get } = ReflectGetOwnPropertyDescriptor(members, names[i]);
      ObjectDefineProperty(Class.prototype, names[i], {
        __proto__: null, get, set: undefined, enumerable: true, configurable: true,
      });
    }
  }

  defineInterface(TransformStream);
  defineInterface(TransformStreamDefaultController);

  transforms.genericTransform = genericTransform;
  transforms.TransformStream = TransformStream;
  transforms.internal = internal;
  nano.expose("TransformStream", TransformStream);
  nano.expose("TransformStreamDefaultController", TransformStreamDefaultController);
});
