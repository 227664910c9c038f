"use strict";
// What becomes of the source given to WebAssembly.compileStreaming and instantiateStreaming: WebAssembly Web API §4. V8
// has both functions, and hands over here what their promise of a response came to.

(function (nano) {
  const { ops, entry, fetch } = nano;
  const { ReflectApply, RegExpPrototypeExec, TypeError, Uint8Array, uponPromise } = nano.primordials;
  const { arrayBuffer } = globalThis.Response.prototype;

  const wasm = /^[\t ]*application\/wasm[\t ]*$/i;

  /** "Compile a potential WebAssembly response"; `id` names the compilation that waits for its bytes. */
  entry.wasm = (response, id) => {
    const fail = (error) => ops.wasm_abort(id, error);
    try {
      if (!fetch.isResponse(response)) throw new TypeError("WebAssembly: the source is not a Response");
      const type = fetch.contentTypeOf(response);
      if (type === undefined || RegExpPrototypeExec(wasm, type) === null) {
        throw new TypeError("WebAssembly: the response's type is not application/wasm");
      }
      if (!fetch.isOk(response)) throw new TypeError("WebAssembly: the response's status is not ok");
      const finish = (buffer) => ops.wasm_finish(id, new Uint8Array(buffer));
      uponPromise(ReflectApply(arrayBuffer, response, []), finish, fail);
    } catch (error) {
      fail(error);
    }
  };
});
