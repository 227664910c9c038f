// A Markdown renderer over a vendored ES module.

import { Marked } from "./vendor/marked/marked.esm.js";
import welcome from "./welcome.md" with { type: "text" };

const escaped = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** Whether a link may be one: relative, or to the web or to mail. */
function isSafe(href) {
  const url = URL.parse(href, "http://relative.invalid/");
  return url !== null && ["http:", "https:", "mailto:"].includes(url.protocol);
}

// What is looked at is what the browser gets: marked would leave the `&colon;` of `javascript&colon;…` to it.
const marked = new Marked({
  renderer: {
    html: ({ text }) => escaped(text),
    image: ({ href, text }) => (isSafe(href) ? `<img src="${escaped(href)}" alt="${escaped(text)}">` : escaped(text)),
    link({ href, tokens }) {
      const text = this.parser.parseInline(tokens);
      return isSafe(href) ? `<a href="${escaped(href)}">${text}</a>` : text;
    },
  },
});

const page = (text) => `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>Markdown</title>
  <style>
    body { margin: 2em auto; max-width: 42em; font-family: sans-serif; }
    textarea { width: 100%; height: 14em; }
  </style>
  <form method="post"><textarea name="text">
${escaped(text)}</textarea><p><button>Render</button></form>
  <article>
${marked.parse(text)}</article>
</html>
`;

const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src https:; form-action 'self'; base-uri 'none'";

const html = (body, status = 200) =>
  new Response(body, {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy,
      "x-content-type-options": "nosniff",
    },
  });

export default {
  async fetch(request) {
    if (request.method === "GET" || request.method === "HEAD") return html(page(welcome));
    if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "GET, HEAD, POST" } });
    if (request.headers.get("content-type")?.startsWith("text/")) return html(marked.parse(await request.text()));
    let form;
    try {
      form = await request.formData();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return html(`<p>That is neither a form nor text: ${escaped(error.message)}\n`, 400);
    }
    const text = form.get("text");
    return typeof text === "string" ? html(page(text)) : html("<p>The form has no text.\n", 400);
  },
};
