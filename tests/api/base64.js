// HTML §8.3 and the Infra Standard's forgiving-base64.
import { equal, ok, throws } from "./assert.js";

// RFC 4648 §10.
const vectors = [
  ["", ""], ["f", "Zg=="], ["fo", "Zm8="], ["foo", "Zm9v"], ["foob", "Zm9vYg=="], ["fooba", "Zm9vYmE="],
  ["foobar", "Zm9vYmFy"],
];

export const tests = {
  "the vectors of RFC 4648 hold both ways"() {
    for (const [text, encoded] of vectors) {
      equal(btoa(text), encoded);
      equal(atob(encoded), text);
    }
  },
  "every byte comes back"() {
    const all = String.fromCharCode(...Array(256).keys());
    equal(atob(btoa(all)), all);
    const long = all.repeat(4096);
    equal(atob(btoa(long)), long);
  },
  "btoa refuses what is no byte, and only that"() {
    throws("InvalidCharacterError", () => btoa("\u0100"));
    throws("InvalidCharacterError", () => btoa("a\ud83d\ude00"));
    // A string that V8 keeps in two bytes a character, though one would do.
    equal(btoa("\u0100é".slice(1)), "6Q==");
  },
  "atob forgives white space and missing padding, and nothing else"() {
    equal(atob(" Z\tm\n9\fv\rYg "), "foob");
    equal(atob("Zh=="), "f");
    for (const bad of ["Z", "Zg=", "Zm9v=", "====", "Zg==Zg==", "-_", "Zm9v\u00a0", "Zm9\u0100", "Zg\0"]) {
      throws("InvalidCharacterError", () => atob(bad));
    }
  },
  "arguments become strings, and one is needed"() {
    equal(btoa(null), "bnVsbA==");
    equal(atob({ toString: () => "Zg==" }), "f");
    throws(TypeError, () => btoa());
    throws(TypeError, () => atob());
    throws(TypeError, () => btoa(Symbol()));
    ok(Object.getOwnPropertyDescriptor(globalThis, "atob").enumerable);
    equal(`${atob.name} ${atob.length} ${btoa.name} ${btoa.length}`, "atob 1 btoa 1");
  },
};
