/** @jsxImportSource preact */

import { createContext } from "preact";
import { useContext, useMemo, useState } from "preact/hooks";
import { renderToString } from "preact-render-to-string";
import { renderToReadableStream } from "preact-render-to-string/stream";

const Language = createContext("en");

function Greeting({ name }) {
  const hello = { en: "Hello", fr: "Bonjour" }[useContext(Language)];
  return <h1 class="greeting">{hello}, {name}!</h1>;
}

function List({ items }) {
  const [open] = useState(true);
  const sorted = useMemo(() => items.toSorted(), [items]);
  return (
    <ul style={{ marginTop: 4 }} hidden={!open}>
      {sorted.map((item) => <li key={item}>{item}</li>)}
    </ul>
  );
}

function Page({ name, language, items }) {
  return (
    <html lang={language}>
      <body>
        <Language.Provider value={language}>
          <Greeting name={name} />
          {items.length > 0 ? <List items={items} /> : <p>Nothing &amp; nobody</p>}
          <div dangerouslySetInnerHTML={{ __html: "<br>" }} />
          <input disabled value="a" />
        </Language.Provider>
      </body>
    </html>
  );
}

export default {
  fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const page = (
      <Page
        name={searchParams.get("name") ?? "world"}
        language={searchParams.get("language") ?? "en"}
        items={searchParams.getAll("item")}
      />
    );
    const headers = { "content-type": "text/html; charset=utf-8" };
    if (pathname === "/stream") return new Response(renderToReadableStream(page), { headers });
    return new Response(`<!doctype html>${renderToString(page)}`, { headers });
  },
};
