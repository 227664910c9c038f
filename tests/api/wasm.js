// WebAssembly Web API §4: modules from responses.
import { equal, ok, rejects } from "./assert.js";

/** (module (func (export "f") (result i32) i32.const 7)) */
const bytes = new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7f, 3, 2, 1, 0, 7, 5, 1, 1, 0x66, 0, 0, 10, 6, 1, 4, 0, 0x41, 7,
  0x0b,
]);
const answer = (type = "application/wasm", body = bytes, status = 200) =>
  new Response(body, { status, headers: { "content-type": type } });

export const tests = {
  async "a module is compiled from a response, or from what will be one"() {
    ok((await WebAssembly.compileStreaming(answer())) instanceof WebAssembly.Module);
    const { module, instance } = await WebAssembly.instantiateStreaming(Promise.resolve(answer("Application/WASM ")));
    ok(module instanceof WebAssembly.Module);
    equal(instance.exports.f(), 7);
    const url = URL.createObjectURL(new Blob([bytes], { type: "application/wasm" }));
    equal((await WebAssembly.instantiateStreaming(fetch(url))).instance.exports.f(), 7);
    URL.revokeObjectURL(url);
  },
  async "what is no response of a module is refused"() {
    for (const source of [undefined, bytes, answer("text/plain"), answer("application/wasm;x"), answer(undefined, "", 404)]) {
      await rejects(TypeError, WebAssembly.compileStreaming(source));
      await rejects(TypeError, WebAssembly.instantiateStreaming(source));
    }
    const used = answer();
    await used.text();
    await rejects(TypeError, WebAssembly.compileStreaming(used));
    await rejects(WebAssembly.CompileError, WebAssembly.compileStreaming(answer(undefined, "no module")));
    await rejects(RangeError, WebAssembly.compileStreaming(Promise.reject(new RangeError("mine"))));
  },
};
