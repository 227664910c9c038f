/** @jsxImportSource hono/jsx */

import { Hono } from "hono";
import { css, Style } from "hono/css";
import { createContext, ErrorBoundary, Suspense, useContext } from "hono/jsx";
import { jsxRenderer } from "hono/jsx-renderer";
import { renderToReadableStream } from "hono/jsx/streaming";

const Theme = createContext("light");
const title = css`
  color: red;
`;

const Layout = jsxRenderer(({ children, heading }) => (
  <html>
    <head>
      <title>{heading}</title>
      <Style />
    </head>
    <body>{children}</body>
  </html>
));

const Themed = () => <p data-theme={useContext(Theme)}>{"a < b"}</p>;

async function Late({ after }) {
  await new Promise((done) => setTimeout(done, after));
  return <b>late</b>;
}

function Broken() {
  throw new Error("broken");
}

const app = new Hono();

app.get("/page", Layout, (c) =>
  c.render(<Theme.Provider value="dark"><Themed /></Theme.Provider>, { heading: "A page" }));
app.get("/styled", Layout, (c) => c.render(<h1 class={title}>Styled</h1>, { heading: "Styled" }));
app.get("/async", (c) => c.html(<main><Late after={5} /></main>));
app.get("/caught", (c) => c.html(<ErrorBoundary fallback={<i>caught</i>}><Broken /></ErrorBoundary>));
app.get("/suspended", (c) => {
  const page = renderToReadableStream(<main><Suspense fallback={<i>wait</i>}><Late after={20} /></Suspense></main>);
  return c.body(page, { headers: { "content-type": "text/html; charset=utf-8" } });
});

export default app;
