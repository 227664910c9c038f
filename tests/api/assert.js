// Assertions for the files beside this one. Each throws an Error that says what was found and what was expected.

const text = (value) => {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "object" && value !== null) {
    try {
      return JSON.stringify(value);
    } catch {
      return Object.prototype.toString.call(value);
    }
  }
  return String(value);
};

export function ok(condition, message = "the condition does not hold") {
  if (!condition) throw new Error(message);
}

export function equal(actual, expected, message = "") {
  if (!Object.is(actual, expected)) throw new Error(`${message} ${text(actual)} is not ${text(expected)}`.trim());
}

/** Compares arrays and plain objects by content. */
export function same(actual, expected, message = "") {
  if (!isSame(actual, expected)) throw new Error(`${message} ${text(actual)} is not ${text(expected)}`.trim());
}

function isSame(a, b) {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  const keys = Reflect.ownKeys(a);
  return keys.length === Reflect.ownKeys(b).length && keys.every((key) => isSame(a[key], b[key]));
}

/** `expected` is a class, or the name of a DOMException. */
function check(error, expected) {
  if (typeof expected === "string") {
    if (!(error instanceof DOMException) || error.name !== expected) throw new Error(`${error} is not a ${expected}`);
  } else if (!(error instanceof expected)) {
    throw new Error(`${error} is not a ${expected.name}`);
  }
  return error;
}

export function throws(expected, run) {
  try {
    run();
  } catch (error) {
    return check(error, expected);
  }
  throw new Error("nothing was thrown");
}

export async function rejects(expected, promise) {
  try {
    await promise;
  } catch (error) {
    return check(error, expected);
  }
  throw new Error("the promise was not rejected");
}
