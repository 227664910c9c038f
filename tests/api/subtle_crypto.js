// Web Cryptography §13 (CryptoKey), §14 (SubtleCrypto), §18 (algorithms), §31 (HMAC), §32 (SHA).
import { equal, ok, rejects, same, throws } from "./assert.js";

const { subtle } = crypto;
const bytes = (text) => new TextEncoder().encode(text);
const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
const hmac = (hash, more) => ({ name: "HMAC", hash, ...more });
const importHmac = (data, hash = "SHA-256", usages = ["sign", "verify"], extractable = true) =>
  subtle.importKey("raw", data, hmac(hash), extractable, usages);

// FIPS 180-4's examples: "abc", and the two-block messages.
const blocks = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
const wide =
  "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
const digests = [
  ["SHA-1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"],
  ["SHA-1", blocks, "84983e441c3bd26ebaae4aa1f95129e5e54670f1"],
  ["SHA-256", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
  ["SHA-256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
  ["SHA-256", blocks, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"],
  [
    "SHA-384", "abc",
    "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
  ],
  [
    "SHA-384", wide,
    "09330c33f71147e83d192fc782cd1b4753111b173b3b05d22fa08086e3b0f712fcc7c71a557e2db966c3e9fa91746039",
  ],
  [
    "SHA-512", "abc",
    "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" +
      "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
  ],
  [
    "SHA-512", wide,
    "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018" +
      "501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
  ],
];

// RFC 4231: key, data, HMAC-SHA-256, HMAC-SHA-384, HMAC-SHA-512.
const rfc4231 = [
  [
    unhex("0b".repeat(20)), bytes("Hi There"),
    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
    "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6",
    "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde" +
      "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
  ],
  [
    bytes("Jefe"), bytes("what do ya want for nothing?"),
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554" +
      "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
  ],
  [
    unhex("aa".repeat(131)), bytes("Test Using Larger Than Block-Size Key - Hash Key First"),
    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952",
    "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352" +
      "6b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598",
  ],
];

export const tests = {
  async "the examples of FIPS 180-4 hold"() {
    for (const [hash, text, digest] of digests) equal(hex(await subtle.digest(hash, bytes(text))), digest, hash);
  },
  async "a long message is digested whole"() {
    const million = new Uint8Array(1_000_000).fill(0x61);
    equal(hex(await subtle.digest("SHA-1", million)), "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    equal(
      hex(await subtle.digest("SHA-256", million)),
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    );
    // Beyond the size of the pieces it is read in.
    const long = new Uint8Array(3 * 1024 * 1024 + 1);
    equal(hex(await subtle.digest("SHA-1", long)), "2742f09dd969e64d4f424f031d65ce7f497095d0");
  },
  async "names are matched without regard to case, in ASCII"() {
    equal(hex(await subtle.digest({ name: "sHa-1" }, new Uint8Array())), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    await rejects("NotSupportedError", subtle.digest("\u017fHA-1", new Uint8Array()));
    await rejects("NotSupportedError", subtle.digest("MD5", new Uint8Array()));
    await rejects("NotSupportedError", subtle.digest("HMAC", new Uint8Array()));
    await rejects("NotSupportedError", subtle.digest("constructor", new Uint8Array()));
    await rejects("NotSupportedError", subtle.digest(undefined, new Uint8Array()));
    await rejects(TypeError, subtle.digest({}, new Uint8Array()));
  },
  async "any buffer source is read, just what it shows"() {
    const buffer = bytes("xabcx").buffer;
    const digest = digests[0][2];
    equal(hex(await subtle.digest("SHA-1", new Uint8Array(buffer, 1, 3))), digest);
    equal(hex(await subtle.digest("SHA-1", new DataView(buffer, 1, 3))), digest);
    equal(hex(await subtle.digest("SHA-1", bytes("abc").buffer)), digest);
    await rejects(TypeError, subtle.digest("SHA-1", "abc"));
    await rejects(TypeError, subtle.digest("SHA-1", [1]));
    await rejects(TypeError, subtle.digest("SHA-1", new ArrayBuffer(1, { maxByteLength: 2 })));
    await rejects(TypeError, subtle.digest("SHA-1"));
  },
  async "data are read once the algorithm is known, and not later"() {
    const data = bytes("xbc");
    const promise = subtle.digest({ get name() { data[0] = 0x61; return "SHA-1"; } }, data);
    data.fill(0);
    equal(hex(await promise), digests[0][2]);
    const gone = bytes("abc");
    const detaching = {
      get name() {
        if (gone.length !== 0) structuredClone(gone, { transfer: [gone.buffer] });
        return "SHA-1";
      },
    };
    const empty = subtle.digest(detaching, gone);
    equal(hex(await empty), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    equal(hex(await subtle.digest("SHA-1", gone)), "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  },
  async "the vectors of RFC 4231 hold"() {
    for (const [raw, data, ...macs] of rfc4231) {
      for (const [i, hash] of ["SHA-256", "SHA-384", "SHA-512"].entries()) {
        const key = await importHmac(raw, hash);
        equal(hex(await subtle.sign("HMAC", key, data)), macs[i], hash);
        ok(await subtle.verify("HMAC", key, unhex(macs[i]), data));
      }
    }
  },
  async "the vectors of RFC 2202 hold for SHA-1"() {
    const key = await importHmac(bytes("Jefe"), "SHA-1");
    const mac = await subtle.sign("HMAC", key, bytes("what do ya want for nothing?"));
    equal(hex(mac), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  },
  async "a signature that differs anywhere or in length is not one"() {
    const key = await importHmac(bytes("key"));
    const mac = new Uint8Array(await subtle.sign("HMAC", key, bytes("data")));
    ok(await subtle.verify("HMAC", key, mac, bytes("data")));
    for (let i = 0; i < mac.length; i++) {
      const other = mac.slice();
      other[i] ^= 1;
      equal(await subtle.verify("HMAC", key, other, bytes("data")), false);
    }
    for (const other of [new Uint8Array(), mac.slice(1), mac.slice(0, 16), Uint8Array.from([...mac, 0])]) {
      equal(await subtle.verify("HMAC", key, other, bytes("data")), false);
    }
    equal(await subtle.verify("HMAC", key, mac, bytes("datum")), false);
  },
  async "a key says what it is, and its objects stay the same ones"() {
    const key = await importHmac(bytes("key"), "sha-384", ["verify", "sign", "verify"], false);
    equal(`${key}`, "[object CryptoKey]");
    equal(key.type, "secret");
    equal(key.extractable, false);
    same(key.algorithm, { name: "HMAC", hash: { name: "SHA-384" }, length: 24 });
    same(key.usages, ["sign", "verify"]);
    equal(key.algorithm, key.algorithm);
    equal(key.usages, key.usages);
    throws(TypeError, () => new CryptoKey());
    throws(TypeError, () => CryptoKey.prototype.type);
  },
  async "what an app does to those objects changes nothing"() {
    const key = await importHmac(bytes("key"), "SHA-256", ["verify"], false);
    key.usages.push("sign");
    key.algorithm.hash.name = "SHA-1";
    key.algorithm.name = "AES-CBC";
    await rejects("InvalidAccessError", subtle.sign("HMAC", key, bytes("data")));
    equal(await subtle.verify("HMAC", key, new Uint8Array(32), bytes("data")), false);
    await rejects("InvalidAccessError", subtle.exportKey("raw", key));
  },
  async "a key that is not extractable is out of an app's reach"() {
    let seen = "";
    const watch = (holder, name) => {
      const original = Object.getOwnPropertyDescriptor(holder, name);
      Object.defineProperty(holder, name, {
        configurable: true,
        get() {
          seen += `read ${String(name)} `;
          return original?.get === undefined ? original?.value : original.get.call(this);
        },
        set() {
          seen += `set ${String(name)} `;
        },
      });
      return () => (original ? Object.defineProperty(holder, name, original) : delete holder[name]);
    };
    const undo = [
      watch(Uint8Array, Symbol.species), watch(Object.getPrototypeOf(Uint8Array.prototype), "constructor"),
      watch(Object.prototype, "handle"), watch(Object.prototype, "run"), watch(Array.prototype, "0"),
    ];
    let key, mac;
    try {
      key = await importHmac(bytes("key"), "SHA-256", ["sign"], false);
      mac = await subtle.sign("HMAC", key, new Uint8Array(0));
    } finally {
      undo.forEach((restore) => restore());
    }
    equal(seen, "");
    equal(hex(mac), "5d5d139563c95b5967b9bd9a8c9b233a9dedb45072794cd232dc1b74832607d0");
    same(Reflect.ownKeys(key), []);
    equal(JSON.stringify(key), "{}");
  },
  async "imports are refused as the standard says"() {
    await rejects("DataError", importHmac(new Uint8Array()));
    await rejects("SyntaxError", importHmac(bytes("key"), "SHA-256", []));
    await rejects("SyntaxError", importHmac(bytes("key"), "SHA-256", ["sign", "encrypt"]));
    await rejects(TypeError, importHmac(bytes("key"), "SHA-256", ["shout"]));
    await rejects(TypeError, importHmac(bytes("key"), "SHA-256", "sign"));
    await rejects("NotSupportedError", importHmac(bytes("key"), "MD5"));
    await rejects(TypeError, subtle.importKey("raw", bytes("key"), "HMAC", true, ["sign"]));
    await rejects(TypeError, subtle.importKey("text", bytes("key"), hmac("SHA-1"), true, ["sign"]));
    await rejects(TypeError, subtle.importKey("raw", { kty: "oct" }, hmac("SHA-1"), true, ["sign"]));
    await rejects(TypeError, subtle.importKey("jwk", bytes("key"), hmac("SHA-1"), true, ["sign"]));
    await rejects(TypeError, subtle.importKey("raw", "key", hmac("SHA-1"), true, ["sign"]));
    await rejects("NotSupportedError", subtle.importKey("spki", bytes("key"), hmac("SHA-1"), true, ["sign"]));
    await rejects("NotSupportedError", subtle.importKey("raw", bytes("key"), "RSA-PSS", true, ["sign"]));
    for (const length of [-1, 2 ** 32, NaN, Infinity]) {
      await rejects(TypeError, subtle.importKey("raw", bytes("key"), hmac("SHA-1", { length }), true, ["sign"]));
    }
  },
  async "a length cuts a key to bits, and must be its own"() {
    const cut = await subtle.importKey("raw", unhex("ffffff"), hmac("SHA-1", { length: 19 }), true, ["sign"]);
    equal(cut.algorithm.length, 19);
    equal(hex(await subtle.exportKey("raw", cut)), "ffffe0");
    for (const length of [0, 16, 25]) {
      await rejects("DataError", subtle.importKey("raw", bytes("key"), hmac("SHA-1", { length }), true, ["sign"]));
    }
  },
  async "a JSON Web Key comes in and goes out"() {
    const jwk = { kty: "oct", k: "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T", alg: "HS256", use: "sig", ext: true,
      key_ops: ["verify", "sign"] };
    const key = await subtle.importKey("jwk", jwk, hmac("SHA-256"), true, ["sign", "verify"]);
    same(await subtle.exportKey("jwk", key), {
      alg: "HS256", ext: true, k: jwk.k, key_ops: ["sign", "verify"], kty: "oct",
    });
    equal((await subtle.exportKey("raw", key)).byteLength, 33);
    const bad = [
      { kty: "RSA" }, { kty: undefined }, { k: undefined }, { k: "a+b/" }, { k: "YQ==" }, { k: "a" }, { k: "a b" },
      { k: "" }, { alg: "HS512" }, { use: "enc" }, { ext: false }, { key_ops: ["sign"] },
      { key_ops: ["sign", "verify", "sign"] },
    ];
    for (const change of bad) {
      await rejects(
        "DataError", subtle.importKey("jwk", { ...jwk, ...change }, hmac("SHA-256"), true, ["sign", "verify"]),
      );
    }
    await rejects(TypeError, subtle.importKey("jwk", { ...jwk, key_ops: 1 }, hmac("SHA-256"), true, ["sign"]));
    await rejects("DataError", subtle.importKey("jwk", {}, hmac("SHA-256"), true, ["sign"]));
    await rejects("NotSupportedError", subtle.exportKey("pkcs8", key));
  },
  async "a generated key is as long as asked for, or as its hash's block"() {
    for (const [hash, length] of [["SHA-1", 512], ["SHA-256", 512], ["SHA-384", 1024], ["SHA-512", 1024]]) {
      const key = await subtle.generateKey(hmac(hash), true, ["sign"]);
      equal(key.algorithm.length, length);
      const raw = new Uint8Array(await subtle.exportKey("raw", key));
      equal(raw.length, length / 8);
      ok(raw.some((byte) => byte !== 0));
    }
    const odd = await subtle.generateKey(hmac("SHA-1", { length: 9 }), true, ["verify"]);
    equal(new Uint8Array(await subtle.exportKey("raw", odd))[1] & 0x7f, 0);
    await rejects("OperationError", subtle.generateKey(hmac("SHA-1", { length: 0 }), true, ["sign"]));
    await rejects("SyntaxError", subtle.generateKey(hmac("SHA-1"), true, []));
    await rejects("SyntaxError", subtle.generateKey(hmac("SHA-1"), true, ["wrapKey"]));
    await rejects("NotSupportedError", subtle.generateKey({ name: "AES-GCM", length: 256 }, true, ["encrypt"]));
  },
  async "an exported key is a copy"() {
    const raw = bytes("key");
    const key = await importHmac(raw);
    raw.fill(0);
    new Uint8Array(await subtle.exportKey("raw", key)).fill(1);
    equal(hex(await subtle.exportKey("raw", key)), hex(bytes("key")));
  },
  async "nothing is thrown, all is rejected"() {
    const key = await importHmac(bytes("key"));
    await rejects(TypeError, subtle.sign());
    await rejects(TypeError, subtle.sign("HMAC", {}, bytes("")));
    await rejects(TypeError, subtle.verify("HMAC", key, "", bytes("")));
    await rejects("NotSupportedError", subtle.sign("ECDSA", key, bytes("")));
    await rejects(TypeError, subtle.digest.call({}, "SHA-1", bytes("")));
    const boom = new RangeError("boom");
    equal(await subtle.digest({ get name() { throw boom; } }, bytes("")).catch((error) => error), boom);
  },
  "the interfaces look as they should"() {
    equal(`${subtle}`, "[object SubtleCrypto]");
    equal(crypto.subtle, subtle);
    throws(TypeError, () => new SubtleCrypto());
    throws(TypeError, () => Crypto.prototype.subtle);
    for (const [name, length] of Object.entries({ sign: 3, verify: 4, digest: 2, generateKey: 3, importKey: 5, exportKey: 2 })) {
      const { value, enumerable } = Object.getOwnPropertyDescriptor(SubtleCrypto.prototype, name);
      same([value.name, value.length, enumerable], [name, length, true]);
    }
  },
};
