"use strict";
// CompressionStream and DecompressionStream: Compression Standard §5 and §6. The codecs are native (compression.rs).
//
// What comes of a chunk is handed on as it comes, and once a good deal of it waits for its reader the codec waits too: a
// small chunk that stands for a huge one meets the app's limits, one piece after another, or never comes to that.

(function (nano) {
  const { ops } = nano;
  const { createTransform, genericTransform } = nano.transforms;
  const {
    TypeError, TypedArrayPrototypeGetBuffer, TypedArrayPrototypeGetByteOffset, Uint8Array, newPromise, uponPromise,
  } = nano.primordials;
  const { bufferSource, defineInterface, enumeration, getByteLength, heldBytes, requireArguments } = nano.webidl;

  const FORMATS = ["deflate", "deflate-raw", "gzip", "brotli"];
  /** Pieces of 64 KiB at most that may wait for a reader. */
  const AHEAD = 16;

  /** A stream's codec. The native one ends with it. */
  class Codec {
    #id;
    #decompresses;
    #ended = false;
    /** What is left of the chunk under way. */
    #bytes = undefined;
    #from = 0;
    /** Whether that is a copy of ours. */
    #isOwn = false;
    #more = false;

    constructor(format, decompresses) {
      this.#decompresses = decompresses;
      this.#id = ops.codec_open(format, decompresses, this);
    }

    /** "Compress and enqueue a chunk", "decompress and enqueue a chunk". */
    write(chunk, transform) {
      this.#bytes = heldBytes(bufferSource(chunk, "a chunk"));
      this.#from = 0;
      this.#isOwn = false;
      if (this.#run(transform)) return undefined;
      const { promise, resolve, reject } = newPromise();
      const wait = () => uponPromise(transform.drained(), goOn, reject);
      const goOn = () => {
        try {
          if (this.#run(transform)) resolve();
          else wait();
        } catch (error) {
          reject(error);
        }
      };
      wait();
      return promise;
    }

    /** Whether all of the chunk is done with; if not, enough of it waits to be read. */
    #run(transform) {
      for (;;) {
        const length = getByteLength(this.#bytes);
        if (this.#from >= length && !this.#more) break;
        if (this.#ended) throw new TypeError("there is more after the end of the compressed data");
        const { 0: taken, 1: ended, 2: more, 3: output } = ops.codec_run(this.#id, this.#bytes, this.#from);
        this.#from += taken;
        this.#ended = ended;
        this.#more = more;
        if (output === undefined) continue;
        if (!this.#isOwn && this.#from < length) {
          // The chunk is its writer's again, who may change it.
          this.#bytes = copy(this.#bytes, this.#from, length);
          this.#from = 0;
          this.#isOwn = true;
        }
        transform.enqueue(output);
        if (transform.waiting >= AHEAD) return false;
      }
      this.#bytes = undefined;
      return true;
    }

    /** "Compress flush and enqueue", "decompress flush and enqueue". */
    finish(transform) {
      if (this.#decompresses) {
        if (!this.#ended) throw new TypeError("the compressed data ends too soon");
      } else {
        for (let ended = false; !ended; ) {
          const step = ops.codec_finish(this.#id);
          ended = step[1];
          if (step[3] !== undefined) transform.enqueue(step[3]);
        }
      }
      this.close();
    }

    close() {
      ops.codec_close(this.#id);
    }
  }

  const copy = (bytes, from, to) =>
    new Uint8Array(
      new Uint8Array(TypedArrayPrototypeGetBuffer(bytes), TypedArrayPrototypeGetByteOffset(bytes) + from, to - from),
    );

  function createCodec(format, decompresses) {
    const codec = new Codec(format, decompresses);
    return createTransform(
      (chunk, transform) => codec.write(chunk, transform),
      (transform) => codec.finish(transform),
      () => codec.close(),
    );
  }

  let compressorSides;

  class CompressionStream {
    #transform;

    constructor(format) {
      requireArguments(arguments.length, 1, "new CompressionStream");
      this.#transform = createCodec(enumeration(format, FORMATS, "CompressionStream's format"), false);
    }

    static {
      compressorSides = (stream) => stream.#transform;
    }
  }

  let decompressorSides;

  class DecompressionStream {
    #transform;

    constructor(format) {
      requireArguments(arguments.length, 1, "new DecompressionStream");
      this.#transform = createCodec(enumeration(format, FORMATS, "DecompressionStream's format"), true);
    }

    static {
      decompressorSides = (stream) => stream.#transform;
    }
  }

  genericTransform(CompressionStream, (stream) => compressorSides(stream));
  genericTransform(DecompressionStream, (stream) => decompressorSides(stream));
  defineInterface(CompressionStream);
  defineInterface(DecompressionStream);

  nano.expose("CompressionStream", CompressionStream);
  nano.expose("DecompressionStream", DecompressionStream);
});
