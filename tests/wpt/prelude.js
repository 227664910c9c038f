// The head of every bundle: the page the test believes to be on, its scripts, and what became of it. `page` says which
// (see bundle.py). It takes what it needs from the global scope before a test may change it, and lends the scripts one
// name, `$wpt`.

const $wpt = ((page) => {
  const scripts = [];
  const expressions = { __proto__: null };
  const { clearTimeout, fetch, JSON, Promise, Proxy, Reflect, Response, setTimeout, URL } = globalThis;
  const { stringify } = JSON;
  const { defineProperty, getOwnPropertyDescriptor } = Object;

  const STATUSES = ["OK", "ERROR", "TIMEOUT", "PRECONDITION_FAILED"];
  const SUBTEST_STATUSES = ["PASS", "FAIL", "TIMEOUT", "NOTRUN", "PRECONDITION_FAILED"];
  let failure = null;

  /** Makes a top-level declaration of a script a property of the global object, as that of a classic script is. */
  function declare(name, get, set, isVar) {
    // `var x` leaves a global `x` that there is as it is.
    if (isVar && name in globalThis) set(globalThis[name]);
    try {
      defineProperty(globalThis, name, { get, set, configurable: true, enumerable: true });
    } catch {
      // A property that cannot be changed: the script sees its own.
    }
  }

  /** In sloppy code, an assignment to a name that is not there makes it a property of the global object. */
  function imply(names) {
    for (const name of names) {
      if (!(name in globalThis)) defineProperty(globalThis, name, { value: undefined, writable: true, configurable: true });
    }
  }

  /** Relative URLs have no base outside of browsers: here they are resolved before the platform sees them. */
  function absolute(input) {
    if (["object", "symbol"].includes(typeof input) || URL.canParse(input)) return input;
    return URL.canParse(input, page.url) ? new URL(input, page.url).href : input;
  }

  function define(object, name, value) {
    if (getOwnPropertyDescriptor(object, name)?.writable) object[name] = value;
    else defineProperty(object, name, { value, writable: true, enumerable: false, configurable: true });
  }

  function setUp() {
    globalThis.self ??= globalThis;
    globalThis.GLOBAL = { isWindow: () => false, isWorker: () => false, isShadowRealm: () => false };
    const { href, origin, protocol, host, hostname, port, pathname, search, hash } = new URL(page.url);
    define(globalThis, "location", { href, origin, protocol, host, hostname, port, pathname, search, hash, toString: () => href });
    if (!page.relative) return;
    const first = (args) => (args.length > 0 ? [absolute(args[0]), ...args.slice(1)] : args);
    const calls = { apply: (target, receiver, args) => Reflect.apply(target, receiver, first(args)) };
    define(globalThis, "fetch", new Proxy(fetch, calls));
    define(Response, "redirect", new Proxy(Response.redirect, calls));
    const { Request } = globalThis;
    const proxy = new Proxy(Request, {
      construct: (target, args, newTarget) => Reflect.construct(target, first(args), newTarget === proxy ? target : newTarget),
    });
    define(Request.prototype, "constructor", proxy);
    define(globalThis, "Request", proxy);
  }

  /** Runs the test to its end, or the end of its time: `{ status, message, subtests: [[name, status, message]…] }`. */
  async function run() {
    setUp();
    return new Promise((resolve) => {
      for (const [path, script] of scripts) {
        try {
          script.call(globalThis);
        } catch (error) {
          fail(`${path}: ${text(error)}`);
        }
        if (path === "/resources/testharness.js") {
          if (failure) return resolve({ ...failure, subtests: [] });
          listen(resolve);
        }
        if (path === "/resources/idlharness.js") define(globalThis, "fetch_spec", fetchSpec);
      }
    });
  }

  function listen(resolve) {
    let subtests = [];
    const outcome = ({ name, status, message }) => [name, SUBTEST_STATUSES[status], short(message)];
    const finish = (ending) => {
      clearTimeout(timer);
      resolve({ ...(failure ?? ending), subtests });
    };
    const { timeout } = globalThis;
    let timer = setTimeout(() => {
      timer = setTimeout(finish, 1000, { status: "TIMEOUT", message: "the harness did not end" });
      timeout();
    }, page.milliseconds);
    add_result_callback((test) => subtests.push(outcome(test)));
    add_completion_callback((tests, { status, message }) => {
      subtests = tests.map(outcome); // Those among them that never ran, too.
      finish({ status: STATUSES[status], message: short(message) });
    });
  }

  /** idlharness.js's own, by a fetch() that is not the one under test. */
  async function fetchSpec(spec) {
    const response = await fetch(new URL(`/interfaces/${spec}.idl`, page.url));
    if (!response.ok) throw new Error(`${spec}.idl: ${response.status}`);
    return { spec, idl: await response.text() };
  }

  /** What idlharness.js would give to `eval`. */
  function evaluate(code) {
    return typeof code === "string" && code in expressions ? expressions[code]() : code;
  }

  /** An error that nobody caught, where the runtime has no event for it. */
  function fail(error) {
    failure ??= { status: "ERROR", message: short(text(error)) };
    globalThis.done?.();
  }

  function text(error) {
    try {
      return String(error);
    } catch {
      return "an object that is no string";
    }
  }

  function short(message) {
    return message == null ? null : text(message).slice(0, 400);
  }

  const respond = async () =>
    new Response(stringify(await run()), { headers: { "content-type": "application/json" } });
  return { scripts, expressions, declare, imply, evaluate, fail, run, respond, stringify };
})(PAGE);
