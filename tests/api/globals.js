// What the global scope holds, and that patching it changes nothing in the platform.
import { equal, ok, same, throws } from "./assert.js";

/** Replaces `holder[key]` while `run` runs. */
async function patched(holder, key, value, run) {
  const original = Object.getOwnPropertyDescriptor(holder, key);
  Object.defineProperty(holder, key, { value, configurable: true, writable: true });
  try {
    return await run();
  } finally {
    if (original === undefined) delete holder[key];
    else Object.defineProperty(holder, key, original);
  }
}

const never = () => {
  throw new Error("an app's patch was called by the platform");
};

export const tests = {
  "the global object is itself"() {
    equal(self, globalThis);
    equal(navigator.userAgent, "nano");
    for (const name of ["console", "crypto", "performance", "navigator"]) equal(typeof globalThis[name], "object", name);
  },
  "interfaces are not enumerable, operations are"() {
    ok(!Object.keys(globalThis).includes("Headers"));
    ok(Object.keys(globalThis).includes("setTimeout"));
  },
  "a changed [[Prototype]] of an interface object sees nothing and changes nothing"() {
    const make = {
      AbortSignal: () => [new AbortController().signal, AbortSignal.abort(), AbortSignal.any([])][0],
      BroadcastChannel: () => {
        const channel = new BroadcastChannel("x");
        channel.close();
        return channel;
      },
      CustomEvent: () => new CustomEvent("x"),
      ErrorEvent: () => new ErrorEvent("x"),
      FetchEvent: () => new FetchEvent("x", { request: new Request("http://a.test/") }),
      File: () => new File([], "x"),
      FileReader: () => new FileReader(),
      FixedLengthStream: () => new FixedLengthStream(1),
      IdentityTransformStream: () => new IdentityTransformStream(),
      MessageEvent: () => new MessageEvent("x"),
      MessagePort: () => new MessageChannel().port1,
      PerformanceMark: () => new PerformanceMark("x"),
      PerformanceMeasure: () => {
        const measure = performance.measure("x");
        performance.clearMeasures("x");
        return measure;
      },
      ProgressEvent: () => new ProgressEvent("x"),
      PromiseRejectionEvent: () => new PromiseRejectionEvent("x", { promise: {} }),
      QuotaExceededError: () => new QuotaExceededError("x"),
    };
    for (const name in make) {
      const Class = globalThis[name];
      const parent = Object.getPrototypeOf(Class);
      let seen;
      const spy = function (...given) {
        seen = given;
        return Reflect.construct(parent, given, new.target);
      };
      let made;
      Object.setPrototypeOf(Class, spy);
      try {
        made = make[name]();
      } finally {
        Object.setPrototypeOf(Class, parent);
      }
      equal(seen, undefined, name);
      equal(Object.getPrototypeOf(made), Class.prototype, name);
      equal(Object.getPrototypeOf(Class.prototype), parent.prototype, name);
      ok(made instanceof Class && made instanceof parent, name);
    }
  },
  "an interface object is its prototype's constructor, and looks like one"() {
    let derived = 0;
    for (const name of Object.getOwnPropertyNames(globalThis)) {
      const Class = globalThis[name];
      const { prototype } = typeof Class === "function" ? Class : {};
      if (prototype?.[Symbol.toStringTag] !== name) continue;
      equal(prototype.constructor, Class, name);
      equal(Class.name, name);
      const { writable, enumerable, configurable } = Object.getOwnPropertyDescriptor(Class, "prototype");
      same([writable, enumerable, configurable], [false, false, false], name);
      const parent = Object.getPrototypeOf(prototype);
      if (!Object.hasOwn(parent, Symbol.toStringTag) || parent.constructor.name === "Iterator") continue;
      equal(Object.getPrototypeOf(Class), parent.constructor, name);
      throws(TypeError, () => Class());
      derived++;
    }
    ok(derived > 10);
    equal(File.length, 2);
    equal(typeof AbortSignal.any, "function");
    equal(FileReader.DONE, 2);
  },
  "a class of an app's own extends a derived interface"() {
    class Mine extends File {
      own = 1;
    }
    const file = new Mine(["text"], "name");
    ok(file instanceof Mine && file instanceof File && file instanceof Blob);
    same([file.own, file.name, file.size, file.constructor], [1, "name", 4, Mine]);
    class Hint extends CustomEvent {}
    const hint = new Hint("x", { detail: 1 });
    ok(hint instanceof Hint);
    same([hint.type, hint.detail, Object.getPrototypeOf(hint)], ["x", 1, Hint.prototype]);
    equal(Object.getPrototypeOf(Reflect.construct(Blob, [], File)), File.prototype);
  },
  async "instanceof gives no app the class behind an interface object"() {
    const asked = [];
    const ask = function () {
      asked.push(this);
      return true;
    };
    await patched(EventTarget, Symbol.hasInstance, ask, () => {
      ok({} instanceof AbortSignal);
      ok(!Function.prototype[Symbol.hasInstance].call(AbortSignal, {}));
      ok(Function.prototype[Symbol.hasInstance].call(AbortSignal, new AbortController().signal));
    });
    equal(asked.length, 1);
    equal(asked[0], AbortSignal);
  },
  "crypto is an attribute that stays"() {
    const { get, set, enumerable } = Object.getOwnPropertyDescriptor(globalThis, "crypto");
    ok(enumerable && set === undefined);
    equal(get.name, "get crypto");
    throws(TypeError, () => (globalThis.crypto = 1));
    throws(TypeError, () => get.call({}));
  },
  "nothing makes code of text"() {
    throws(EvalError, () => eval("1"));
    throws(EvalError, () => new Function("1"));
  },
  async "patched iterators change nothing"() {
    const prototype = Object.getPrototypeOf([][Symbol.iterator]());
    const { next } = prototype;
    prototype.next = never;
    let headers, params;
    try {
      headers = new Headers({ a: "1" });
      headers.append("b", "2");
      params = new URLSearchParams("a=1&b=2");
      params.sort();
    } finally {
      prototype.next = next;
    }
    same([...headers], [["a", "1"], ["b", "2"]]);
    equal(String(params), "a=1&b=2");
  },
  async "patched array methods change nothing"() {
    const text = await patched(Array.prototype, "push", never, () =>
      patched(Array.prototype, "slice", never, () =>
        patched(Array.prototype, "sort", never, async () => {
          const headers = new Headers([["b", "1"], ["a", "2"]]);
          headers.getSetCookie();
          headers.keys().next();
          return new Response("x", { headers }).clone().text();
        }),
      ),
    );
    equal(text, "x");
  },
  async "a patched then changes nothing"() {
    const chunks = [];
    const { then } = Promise.prototype;
    Promise.prototype.then = never;
    try {
      const [a, b] = new ReadableStream({
        start(controller) {
          controller.enqueue(new Uint8Array([0x61]));
          controller.close();
        },
      }).tee();
      chunks.push(await new Response(a).text(), await new Response(b).text());
    } finally {
      Promise.prototype.then = then;
    }
    same(chunks, ["a", "a"]);
  },
  async "a then of all objects gets no body on its way to text"() {
    const stream = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode("stream"));
        controller.close();
      },
    });
    for (const [body, expected] of [[stream, "stream"], [new Blob(["blob"]), "blob"], [new Uint8Array([0x61]), "a"]]) {
      const response = new Response(body);
      Object.prototype.then = (resolve) => {
        delete Object.prototype.then;
        resolve("injected");
      };
      let text;
      try {
        text = await response.text();
      } finally {
        delete Object.prototype.then;
      }
      equal(text, expected);
    }
  },
  async "setters on Object.prototype see nothing"() {
    const set = never;
    const keys = ["status", "headers", "body", "chunk", "0", "once"];
    for (const key of keys) {
      Object.defineProperty(Object.prototype, key, { set, get: () => undefined, configurable: true });
    }
    let text;
    try {
      const target = new EventTarget();
      target.addEventListener("x", () => {});
      target.dispatchEvent(new Event("x"));
      text = await new Response("x").text();
      new Headers().append("a", "b");
    } finally {
      for (const key of keys) delete Object.prototype[key];
    }
    equal(text, "x");
  },
};
