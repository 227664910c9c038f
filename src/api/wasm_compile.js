"use strict";
// How WebAssembly modules are compiled: JavaScript API §5.1 and Web API §4. V8 would do it on a thread that all apps
// share, where no limit counts. Here it is done in the call, by the app whose module it is.

(function (nano) {
  const { fetch } = nano;
  const {
    ObjectDefineProperty, PromisePrototypeThen, PromiseReject, PromiseResolve, ReflectApply, ReflectOwnKeys,
    RegExpPrototypeExec, TypeError, Uint8Array, isObject, newPromise, uponPromise,
  } = nano.primordials;
  // V8's own, that no app has seen.
  const { WebAssembly } = nano.entry;
  const { Module, instantiate: instantiateModule } = WebAssembly;
  const { exports: exportsOf } = Module;
  const { arrayBuffer } = globalThis.Response.prototype;

  const isModule = (value) => {
    try {
      exportsOf(value);
      return true;
    } catch {
      return false;
    }
  };

  function checkImports(imports) {
    if (imports !== undefined && !isObject(imports)) throw new TypeError("WebAssembly: the imports are not an object");
  }

  /** "Instantiate a promise of a module": the imports are read later, as they would be if the module were still to come. */
  function instantiateLater(module, imports) {
    const instance = PromisePrototypeThen(PromiseResolve(undefined), () => instantiateModule(module, imports));
    return PromisePrototypeThen(instance, (made) => ({ module, instance: made }));
  }

  const type = /^[\t ]*application\/wasm[\t ]*$/i;

  function check(response) {
    if (!fetch.isResponse(response)) throw new TypeError("WebAssembly: the source is not a Response");
    const given = fetch.contentTypeOf(response);
    if (given === undefined || RegExpPrototypeExec(type, given) === null) {
      throw new TypeError("WebAssembly: the response's type is not application/wasm");
    }
    if (!fetch.isOk(response)) throw new TypeError("WebAssembly: the response's status is not ok");
    return response;
  }

  /** "Compile a potential WebAssembly response": a promise of what `use` makes of the module. */
  function compileResponse(source, options, use) {
    const { promise, resolve, reject } = newPromise();
    const trying = (step) => (value) => {
      try {
        step(value);
      } catch (error) {
        reject(error);
      }
    };
    const finish = trying((buffer) => resolve(use(new Module(new Uint8Array(buffer), options))));
    const begin = trying((response) => uponPromise(ReflectApply(arrayBuffer, check(response), []), finish, reject));
    uponPromise(PromiseResolve(source), begin, reject);
    return promise;
  }

  const same = (value) => value;

  /** The promise that `start` gives; what it throws is its rejection (Web IDL §3.7.7). */
  const promised = (start) => {
    try {
      return start();
    } catch (error) {
      return PromiseReject(error);
    }
  };

  const methods = {
    compile(bytes, options = undefined) {
      return promised(() => PromiseResolve(new Module(bytes, options)));
    },
    instantiate(bytes, importObject = undefined, options = undefined) {
      return promised(() => {
        checkImports(importObject);
        if (isModule(bytes)) return instantiateModule(bytes, importObject);
        return instantiateLater(new Module(bytes, options), importObject);
      });
    },
    compileStreaming(source, options = undefined) {
      return promised(() => compileResponse(source, options, same));
    },
    instantiateStreaming(source, importObject = undefined, options = undefined) {
      return promised(() => {
        checkImports(importObject);
        return compileResponse(source, options, (module) => instantiateLater(module, importObject));
      });
    },
  };
  const names = ReflectOwnKeys(methods);
  for (let i = 0; i < names.length; i++) {
    ObjectDefineProperty(WebAssembly, names[i], {
      __proto__: null, value: methods[names[i]], writable: true, enumerable: true, configurable: true,
    });
  }
});
