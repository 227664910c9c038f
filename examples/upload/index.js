// An upload form: says what came, or sends a file back.

import page from "./page.html" with { type: "text" };

const escaped = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const html = (body, status = 200) =>
  new Response(body, {
    status,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
      "x-content-type-options": "nosniff",
    },
  });

const hex = (buffer) => Array.from(new Uint8Array(buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");

const hash = async (blob) => hex(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()));

/** A table of the form's entries. */
async function describe(form) {
  let rows = "";
  for (const [name, value] of form) {
    const isFile = value instanceof File;
    const blob = isFile ? value : new Blob([value]);
    const shown = isFile ? `file ${value.name}` : `text ${value}`;
    const cells = [name, shown, `${blob.size} bytes`, blob.type, await hash(blob)];
    rows += `    <tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>\n`;
  }
  const table = `  <table>\n    <tr><th>Field<th>Value<th>Size<th>Type<th>SHA-256</tr>\n${rows}  </table>\n`;
  return html(page.replace("</html>", () => `${table}</html>`));
}

/** The first file of the form, as a download. */
function sendBack(form) {
  const file = [...form.values()].find((value) => value instanceof File && value.name !== "");
  if (file === undefined) return html("<p>There is no file in the form.\n", 400);
  // RFC 8187 §3.2: encodeURIComponent leaves a few characters too many.
  const percent = (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`;
  const name = encodeURIComponent(file.name).replace(/['()*]/g, percent);
  return new Response(file, {
    headers: {
      "content-type": "application/octet-stream",
      "content-disposition": `attachment; filename*=UTF-8''${name}`,
      "x-content-type-options": "nosniff",
    },
  });
}

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname !== "/" && pathname !== "/back") return html("<p>There is nothing here.\n", 404);
    if (request.method === "GET" || request.method === "HEAD") return html(page);
    if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "GET, HEAD, POST" } });
    let form;
    try {
      form = await request.formData();
    } catch (error) {
      // Of another kind are errors of ours, such as a RangeError for too little memory.
      if (!(error instanceof TypeError)) throw error;
      return html(`<p>That is no form: ${escaped(error.message)}\n`, 400);
    }
    return pathname === "/" ? describe(form) : sendBack(form);
  },
};
