// Web Cryptography §10.
import { equal, ok, rejects, same, throws } from "./assert.js";

export const tests = {
  "getRandomValues fills integer views and returns them"() {
    for (const View of [Uint8Array, Int16Array, Uint32Array, BigInt64Array, Uint8ClampedArray]) {
      const view = new View(64);
      equal(crypto.getRandomValues(view), view);
      ok(view.some((value) => value != 0));
    }
    const part = new Uint8Array(96);
    crypto.getRandomValues(part.subarray(32, 64));
    ok(part.subarray(0, 32).every((value) => value === 0) && part.subarray(64).every((value) => value === 0));
    equal(crypto.getRandomValues(new Uint8Array()).length, 0);
  },
  "other views and large ones are refused"() {
    throws("TypeMismatchError", () => crypto.getRandomValues(new Float64Array(1)));
    throws("TypeMismatchError", () => crypto.getRandomValues(new DataView(new ArrayBuffer(1))));
    throws(TypeError, () => crypto.getRandomValues([]));
    const error = throws("QuotaExceededError", () => crypto.getRandomValues(new Uint8Array(65537)));
    ok(error instanceof QuotaExceededError && error.code === 22);
  },
  async "a DigestStream hashes what is written to it"() {
    for (const name of ["SHA-1", "sha-256", "SHA-384", { name: "SHA-512" }]) {
      const bytes = crypto.getRandomValues(new Uint8Array(1000));
      const stream = new crypto.DigestStream(name);
      ok(stream instanceof WritableStream);
      const writer = stream.getWriter();
      writer.write(bytes.subarray(0, 300));
      writer.write(bytes.buffer.slice(300));
      await writer.close();
      equal(stream.bytesWritten, 1000);
      same([...new Uint8Array(await stream.digest)], [...new Uint8Array(await crypto.subtle.digest(name, bytes))]);
    }
    const piped = new crypto.DigestStream("SHA-1");
    await new Response("abc").body.pipeTo(piped);
    ok(new Uint8Array(await piped.digest).toHex().startsWith("a9993e36"));
  },
  async "a DigestStream that fails has no digest"() {
    throws("NotSupportedError", () => new crypto.DigestStream("MD2"));
    throws(TypeError, () => new crypto.DigestStream());
    const aborted = new crypto.DigestStream("SHA-256");
    aborted.abort(new RangeError("enough"));
    await rejects(RangeError, aborted.digest);
    const wrong = new crypto.DigestStream("SHA-256");
    await rejects(TypeError, wrong.getWriter().write("text"));
    await rejects(TypeError, wrong.digest);
  },
  "randomUUID is a UUID of version 4"() {
    const uuid = crypto.randomUUID();
    ok(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(uuid), uuid);
    ok(uuid !== crypto.randomUUID());
  },
};
