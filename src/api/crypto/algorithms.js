"use strict";
// The algorithms there are, and what an app may name them by: Web Cryptography §18. An algorithm says in one place, its
// own script, which operations it has, which parameters each takes and what each does.

(function (nano) {
  const { DOMException } = nano;
  const { RegExpPrototypeExec, StringPrototypeToUpperCase, isObject, newList, push } = nano.primordials;
  const { DOMString, dictionaryOf, enforceRange } = nano.webidl;

  /** §18.4.2: a map of algorithms by name, in capitals, for each operation. */
  const supported = {
    __proto__: null,
    sign: { __proto__: null },
    verify: { __proto__: null },
    digest: { __proto__: null },
    generateKey: { __proto__: null },
    importKey: { __proto__: null },
    exportKey: { __proto__: null },
  };

  /** The dictionary Algorithm (§11), and one that adds `members`, in the order of their names, to it. */
  const name = { __proto__: null, key: "name", convert: DOMString, required: true };
  const Algorithm = [name];
  const parameters = (...members) => {
    const all = newList();
    push(all, name);
    for (let i = 0; i < members.length; i++) push(all, members[i]);
    return all;
  };

  // Types of members. What step 10 of normalising does to a member, `settle` does.

  /** The typedef AlgorithmIdentifier: an object or a string. */
  const AlgorithmIdentifier = (value) => (isObject(value) ? value : DOMString(value));

  /** The typedef HashAlgorithmIdentifier. */
  const hash = { __proto__: null, convert: AlgorithmIdentifier, settle: (value) => normalize(value, "digest") };

  const unsignedLong = { __proto__: null, convert: (value, what) => enforceRange(value, what, 0xffffffff) };

  /**
   * §18.4.3 "define an algorithm": `operations` has for each one that is supported what it does, `run`, and the
   * dictionary type of its `parameters`, if it takes any.
   */
  function defineAlgorithm(name, operations) {
    for (const operation in operations) {
      const { run, parameters: members = Algorithm } = operations[operation];
      supported[operation][StringPrototypeToUpperCase(name)] = { __proto__: null, name, members, run };
    }
  }

  const ascii = /^[\0-\x7f]*$/;

  /** The operation of the algorithm of that name, or undefined. Names are compared without regard to ASCII case. */
  function find(name, operation) {
    // Others than ASCII letters have capitals among them.
    if (RegExpPrototypeExec(ascii, name) === null) return undefined;
    return supported[operation][StringPrototypeToUpperCase(name)];
  }

  /** §18.4.4 "normalize an algorithm": its parameters, and with them what to `run`. */
  function normalize(identifier, operation) {
    const given = typeof identifier === "string" ? { __proto__: null, name: identifier } : identifier;
    const { name } = dictionaryOf(given, Algorithm, "the algorithm");
    const registered = find(name, operation);
    if (registered === undefined) {
      throw new DOMException(`${operation} is not supported for the algorithm "${name}"`, "NotSupportedError");
    }
    const { members, run } = registered;
    const normalized = dictionaryOf(given, members, registered.name);
    normalized.name = registered.name;
    for (let i = 0; i < members.length; i++) {
      const { key, settle } = members[i];
      if (settle !== undefined && normalized[key] !== undefined) normalized[key] = settle(normalized[key]);
    }
    normalized.run = run;
    return normalized;
  }

  nano.cryptoAlgorithms = {
    __proto__: null, AlgorithmIdentifier, defineAlgorithm, find, normalize, parameters, hash, unsignedLong,
  };
});
