// WebAssembly Web API §4: modules from responses; type reflection of the JavaScript API.
import { equal, ok, rejects, throws } from "./assert.js";

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
  "a memory and a table may say minimum for initial, but not both"() {
    equal(new WebAssembly.Memory({ minimum: 2, maximum: 3 }).buffer.byteLength, 2 * 65536);
    equal(new WebAssembly.Table({ element: "funcref", minimum: 4 }).length, 4);
    equal(new WebAssembly.Table({ element: "externref", initial: 2 }, "x").get(1), "x");
    throws(TypeError, () => new WebAssembly.Memory({ initial: 1, minimum: 1 }));
    throws(TypeError, () => new WebAssembly.Table({ element: "anyfunc", initial: 0, minimum: 0 }));
    throws(TypeError, () => new WebAssembly.Memory({}));
    throws(TypeError, () => new WebAssembly.Memory());
    throws(TypeError, () => WebAssembly.Memory({ initial: 1 }));
  },
  "memories, tables and globals are of the interfaces that make them"() {
    class Mine extends WebAssembly.Memory {}
    const mine = new Mine({ minimum: 1 });
    ok(mine instanceof Mine && mine instanceof WebAssembly.Memory);
    for (const name of ["Memory", "Table", "Global"]) {
      const { prototype } = WebAssembly[name];
      equal(prototype.constructor, WebAssembly[name]);
      equal(WebAssembly[name].name, name);
      equal(WebAssembly[name].length, 1);
      equal(Object.getOwnPropertyDescriptor(WebAssembly[name], "prototype").writable, false);
    }
    equal(exported().memory.constructor, WebAssembly.Memory);
    ok(!Object.keys(globalThis).includes("WebAssembly"));
  },
  "a global has a type, whoever made it"() {
    for (const value of ["i32", "i64", "f32", "f64", "externref", "funcref", "anyref", "eqref", "i31ref", "structref"]) {
      for (const mutable of [false, true]) {
        equal(JSON.stringify(new WebAssembly.Global({ value, mutable }).type()), JSON.stringify({ mutable, value }));
      }
    }
    const { constant, vector } = exported();
    equal(JSON.stringify(constant.type()), JSON.stringify({ mutable: false, value: "i64" }));
    equal(JSON.stringify(vector.type()), JSON.stringify({ mutable: true, value: "v128" }));
    const { type } = WebAssembly.Global.prototype;
    for (const other of [1, 1n, {}, undefined, WebAssembly.Global.prototype]) throws(TypeError, () => type.call(other));
  },
};

/**
 * (module (memory (export "memory") 1) (global (export "constant") i64 (i64.const 5))
 *   (global (export "vector") (mut v128) (v128.const i64x2 0 0)))
 */
function exported() {
  const text = (name) => [name.length, ...new TextEncoder().encode(name)];
  const exports = [3, ...text("memory"), 2, 0, ...text("constant"), 3, 0, ...text("vector"), 3, 1];
  const globals = [2, 0x7e, 0, 0x42, 5, 0x0b, 0x7b, 1, 0xfd, 12, ...Array(16).fill(0), 0x0b];
  const module = [
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 5, 3, 1, 0, 1, 6, globals.length, ...globals, 7, exports.length, ...exports,
  ];
  return new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(module))).exports;
}
