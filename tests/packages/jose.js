// Tokens signed with a shared secret, and what needs no key.

import {
  base64url, calculateJwkThumbprint, CompactSign, compactVerify, decodeJwt, decodeProtectedHeader, errors, exportJWK,
  generateSecret, importJWK, jwtVerify, SignJWT, UnsecuredJWT,
} from "jose";

const SECRET = new TextEncoder().encode("a secret of thirty-two bytes, or more");
const CLAIMS = { issuer: "https://issuer.example", audience: "nano" };

/** The token of an `Authorization: Bearer` header. */
const bearer = (request) => request.headers.get("authorization")?.match(/^Bearer (.+)$/)?.[1] ?? "";

const routes = {
  async "/login"(request) {
    const { user, expires = "2h" } = await request.json();
    const token = await new SignJWT({ role: "reader" })
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .setSubject(user)
      .setIssuer(CLAIMS.issuer)
      .setAudience(CLAIMS.audience)
      .setIssuedAt()
      .setExpirationTime(expires)
      .sign(SECRET);
    return { token };
  },

  async "/me"(request) {
    const { payload, protectedHeader } = await jwtVerify(bearer(request), SECRET, { ...CLAIMS, algorithms: ["HS256"] });
    return { user: payload.sub, role: payload.role, algorithm: protectedHeader.alg };
  },

  "/peek": (request) => ({ header: decodeProtectedHeader(bearer(request)), claims: decodeJwt(bearer(request)) }),

  async "/signed"() {
    const key = await generateSecret("HS512", { extractable: true });
    const again = await importJWK({ ...await exportJWK(key), alg: "HS512" });
    const text = new TextEncoder().encode("h\u00e9llo");
    const signed = await new CompactSign(text).setProtectedHeader({ alg: "HS512" }).sign(key);
    const { payload } = await compactVerify(signed, again);
    return { payload: new TextDecoder().decode(payload), bytes: base64url.decode(signed.split(".")[2]).length };
  },

  // RFC 7638
  "/thumbprint": async (request) => ({ thumbprint: await calculateJwkThumbprint(await request.json()) }),

  "/unsecured"() {
    const token = new UnsecuredJWT({ "urn:example:claim": true }).setIssuer("joe").encode();
    return { token, claims: UnsecuredJWT.decode(token, { issuer: "joe" }).payload };
  },
};

export default {
  async fetch(request) {
    try {
      return Response.json(await routes[new URL(request.url).pathname](request));
    } catch (error) {
      if (!(error instanceof errors.JOSEError)) throw error;
      return Response.json({ code: error.code }, { status: 401 });
    }
  },
};
