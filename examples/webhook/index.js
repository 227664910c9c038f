// Takes webhooks whose sender proves who it is: GitHub's way (X-Hub-Signature-256) or Stripe's (Stripe-Signature), an
// HMAC-SHA-256 over the body's raw bytes with a secret both sides know.

const HMAC = { name: "HMAC", hash: "SHA-256" };
/** A signature with a time in it is good for so many seconds: whoever recorded one cannot send it again next week. */
const TOLERANCE = 300;

/** What is wrong with the request, said to its sender. */
class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const encoder = new TextEncoder();
let imported;

/** The secret as a key. It stays what it is for as long as the app runs, so it is imported once. */
function keyOf(env) {
  if (!env.WEBHOOK_SECRET) throw new Error("WEBHOOK_SECRET is missing: give it in the app's `env` block");
  imported ??= crypto.subtle.importKey("raw", encoder.encode(env.WEBHOOK_SECRET), HMAC, false, ["verify"]);
  return imported;
}

/** The bytes written as hexadecimal digits, or null. */
function unhex(text) {
  if (!/^(?:[0-9a-f]{2})+$/i.test(text)) return null;
  return Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
}

/** `verify` compares in constant time: how long it takes says nothing of how near a guess was. */
async function isSigned(key, signature, message) {
  const bytes = unhex(signature);
  return bytes !== null && crypto.subtle.verify("HMAC", key, bytes, message);
}

/** `sha256=HEX`, over the body. */
async function checkGitHub(key, header, body) {
  const [scheme, signature = ""] = header.split("=");
  if (scheme !== "sha256" || !(await isSigned(key, signature, body))) {
    throw new Refusal(401, "x-hub-signature-256 is not this body's signature");
  }
}

/** `t=SECONDS,v1=HEX`, over the time, a dot and the body; there may be several `v1` while a secret is exchanged. */
async function checkStripe(key, header, body) {
  const fields = header.split(",").map((field) => field.trim().split("="));
  const time = fields.find(([name]) => name === "t")?.[1] ?? "";
  if (!/^\d{1,12}$/.test(time)) throw new Refusal(401, "stripe-signature has no time");
  const prefix = encoder.encode(`${time}.`);
  const message = new Uint8Array(prefix.length + body.length);
  message.set(prefix);
  message.set(body, prefix.length);
  const signatures = fields.filter(([name]) => name === "v1").slice(0, 5);
  const checks = await Promise.all(signatures.map(([, signature = ""]) => isSigned(key, signature, message)));
  if (!checks.includes(true)) throw new Refusal(401, "stripe-signature is not this body's signature");
  if (Math.abs(Date.now() / 1000 - Number(time)) > TOLERANCE) {
    throw new Refusal(401, `stripe-signature is older than ${TOLERANCE} seconds`);
  }
}

async function receive(request, env) {
  if (request.method !== "POST") throw new Refusal(405, "webhooks are posted");
  const key = await keyOf(env);
  const github = request.headers.get("x-hub-signature-256");
  const stripe = request.headers.get("stripe-signature");
  // The signature is over these very bytes: parsed and serialised again, JSON would be another text.
  const body = new Uint8Array(await request.arrayBuffer());
  if (github !== null) await checkGitHub(key, github, body);
  else if (stripe !== null) await checkStripe(key, stripe, body);
  else throw new Refusal(401, "there is no x-hub-signature-256 and no stripe-signature header");

  let event;
  try {
    event = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new Refusal(400, "the body is signed, but it is not JSON");
  }
  const type = request.headers.get("x-github-event") ?? event?.type ?? "unknown";
  console.log("webhook %s, %d bytes", type, body.length);
  return Response.json({ received: type }, { status: 202 });
}

export default {
  async fetch(request, env) {
    try {
      return await receive(request, env);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const headers = error.status === 405 ? { allow: "POST" } : {};
      return Response.json({ error: error.message }, { status: error.status, headers });
    }
  },
};
