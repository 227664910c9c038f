// HTMLRewriter, as Workers have it.
import { equal, ok, rejects, same, throws } from "./assert.js";

const page = (html, headers) => new Response(html, { headers: { "content-type": "text/html", ...headers } });
const rewritten = (html, rewriter) => rewriter.transform(page(html)).text();
const on = (selector, handlers) => new HTMLRewriter().on(selector, handlers);
const element = (selector, handler) => on(selector, { element: handler });
const later = (value) => new Promise((resolve) => setTimeout(resolve, 5, value));

/** A stream of chunks of text. */
const streamOf = (...chunks) => ReadableStream.from(chunks.map((chunk) => new TextEncoder().encode(chunk)));

export const tests = {
  async "an element has a name, a namespace and attributes"() {
    let seen;
    const html = `<DIV Class="a" id=x></DIV><svg><path/></svg>`;
    const rewriter = element("div", (div) => {
      seen = [div.tagName, div.namespaceURI, [...div.attributes], div.getAttribute("class"), div.getAttribute("no")];
      seen.push(div.hasAttribute("ID"), div.hasAttribute("no"), div.removed);
    }).on("path", { element: (path) => void seen.push(path.namespaceURI) });
    equal(await rewritten(html, rewriter), html);
    same(seen, [
      "div", "http://www.w3.org/1999/xhtml", [["class", "a"], ["id", "x"]], "a", null, true, false, false,
      "http://www.w3.org/2000/svg",
    ]);
  },
  async "an element can be changed in every way"() {
    const change = (handler) => rewritten("<p><b a=1>x<i>y</i></b></p>", element("b", handler));
    equal(await change((b) => b.setAttribute("a", "2").setAttribute("c", `"`)), `<p><b a="2" c="&quot;">x<i>y</i></b></p>`);
    equal(await change((b) => b.removeAttribute("a")), "<p><b>x<i>y</i></b></p>");
    equal(await change((b) => void (b.tagName = "em")), "<p><em a=1>x<i>y</i></em></p>");
    equal(await change((b) => b.before("<1>").after("<2>", { html: true })), "<p>&lt;1&gt;<b a=1>x<i>y</i></b><2></p>");
    equal(await change((b) => b.prepend("1").append("2")), "<p><b a=1>1x<i>y</i>2</b></p>");
    equal(await change((b) => b.setInnerContent("<u>", { html: true })), "<p><b a=1><u></b></p>");
    equal(await change((b) => b.replace("&")), "<p>&amp;</p>");
    equal(await change((b) => b.remove()), "<p></p>");
    equal(await change((b) => b.removeAndKeepContent()), "<p>x<i>y</i></p>");
    equal(await change((b) => ok(b.remove().removed)), "<p></p>");
  },
  async "end tags have their own handlers"() {
    let name;
    const rewriter = element("b", (b) => {
      b.onEndTag((tag) => {
        name = tag.name;
        tag.before("!").after("?");
      });
      b.onEndTag(async (tag) => {
        await later();
        tag.name = "i";
      });
    });
    equal(await rewritten("<b>x</b><b>y</b>", rewriter), "<b>x!</i>?<b>y!</i>?");
    equal(name, "b");
    equal(await rewritten("<b>x</b>", element("b", (b) => b.onEndTag((tag) => tag.remove()))), "<b>x");
    const failed = rewritten("<br>", element("br", (br) => br.onEndTag(() => {})));
    await rejects(TypeError, failed);
  },
  async "comments, text and doctypes are handled, of elements and of the document"() {
    const comments = { comments: (comment) => void (comment.text = `${comment.text}!`) };
    equal(await rewritten("<!--a--><p><!--b--></p>", on("p", comments)), "<!--a--><p><!--b!--></p>");
    equal(await rewritten("<!--a--><p><!--b--></p>", new HTMLRewriter().onDocument(comments)), "<!--a!--><p><!--b!--></p>");
    equal(await rewritten("<!--a-->", new HTMLRewriter().onDocument({ comments: (c) => c.remove() })), "");
    equal(
      await rewritten("<!--a-->", new HTMLRewriter().onDocument({ comments: (c) => c.before("1").after("2").replace("3") })),
      "132",
    );
    const pieces = [];
    const text = {
      text(chunk) {
        pieces.push([chunk.text, chunk.lastInTextNode, chunk.removed]);
        if (!chunk.lastInTextNode) chunk.replace(chunk.text.toUpperCase());
      },
    };
    equal(await rewritten("<p>one</p>two", on("p", text)), "<p>ONE</p>two");
    same(pieces, [["one", false, false], ["", true, false]]);
    const seen = [];
    const doctype = ({ name, publicId, systemId }) => void seen.push(name, publicId, systemId);
    const html = `<!doctype HTML PUBLIC "-//W3C" "x.dtd"><!doctype html>`;
    equal(await rewritten(html, new HTMLRewriter().onDocument({ doctype })), html);
    same(seen, ["html", "-//W3C", "x.dtd", "html", null, null]);
  },
  async "the end of the document takes more text"() {
    const end = (end) => end.append("<!--end-->", { html: true }).append("&");
    equal(await rewritten("<p>", new HTMLRewriter().onDocument({ end })), "<p><!--end-->&amp;");
    equal(await rewritten("", new HTMLRewriter().onDocument({ end })), "<!--end-->&amp;");
  },
  async "handlers are called in order, on the object they came with"() {
    const order = [];
    const handlers = {
      name: "a",
      element() {
        order.push(this.name);
      },
    };
    const rewriter = on("p", handlers).on("*", { element: () => void order.push("b") });
    rewriter.onDocument({ end: () => void order.push("end") });
    await rewritten("<p>", rewriter);
    await rewritten("<p>", rewriter);
    same(order, ["a", "b", "end", "a", "b", "end"]);
  },
  async "handlers may wait"() {
    const rewriter = element("a", async (a) => {
      const href = a.getAttribute("href");
      a.setAttribute("href", await later(href.repeat(2)));
      a.setInnerContent(await later("…"));
    });
    equal(await rewritten(`<a href=x>1</a><a href="y">2</a>`, rewriter), `<a href="xx">…</a><a href="yy">…</a>`);
  },
  async "what is there goes out while a handler waits"() {
    let goOn;
    const rewriter = element("b", () => new Promise((resolve) => (goOn = resolve)));
    const reader = rewriter.transform(page("<a></a><b></b>")).body.getReader();
    equal(new TextDecoder().decode((await reader.read()).value), "<a></a>");
    goOn();
    equal(new TextDecoder().decode((await reader.read()).value), "<b></b>");
    equal((await reader.read()).done, true);
  },
  async "streams and responses are inserted as they come"() {
    const insert = (content, options) => rewritten("<b></b>", element("b", (b) => b.append(content(), options)));
    equal(await insert(() => streamOf("<1>", "<2>")), "<b>&lt;1&gt;&lt;2&gt;</b>");
    equal(await insert(() => streamOf("<1>", "<2>"), { html: true }), "<b><1><2></b>");
    equal(await insert(() => new Response("<3>"), { html: true }), "<b><3></b>");
    equal(await insert(() => new Response(null)), "<b></b>");
    const euro = new TextEncoder().encode("€");
    equal(await insert(() => ReadableStream.from([euro.subarray(0, 1), euro.subarray(1)])), "<b>€</b>");
    const many = element("b", (b) => b.before(streamOf("1")).after(streamOf("2")).prepend(streamOf("3")).append("4"));
    equal(await rewritten("<b>x</b>", many), "1<b>3x4</b>2");
    const large = "x".repeat(300_000);
    equal(await insert(() => large), `<b>${large}</b>`);
    equal(await insert(() => streamOf(large)), `<b>${large}</b>`);
  },
  async "an inserted stream is only read as the page is"() {
    let pulls = 0;
    const endless = new ReadableStream({
      pull(controller) {
        pulls++;
        controller.enqueue(new Uint8Array(1000).fill(97));
      },
      cancel: (reason) => (pulls = reason),
    });
    const reader = element("b", (b) => b.append(endless)).transform(page("<b></b>")).body.getReader();
    for (let n = 0; n < 5; n++) await reader.read();
    await later();
    ok(pulls < 12, `${pulls} pulls`);
    await reader.cancel("enough");
    equal(pulls, "enough");
  },
  async "what fails fails the body"() {
    const error = new Error("mine");
    const failing = [
      () => element("b", () => { throw error; }).transform(page("<b>")),
      () => element("b", () => Promise.reject(error)).transform(page("<b>")),
      () => element("b", (b) => b.append(new ReadableStream({ pull: () => Promise.reject(error) }))).transform(page("<b></b>")),
      () => element("b", () => {}).transform(page(new ReadableStream({ pull: () => Promise.reject(error) }))),
    ];
    for (const fail of failing) {
      const got = await fail().text().then(() => undefined, (reason) => reason);
      equal(got, error, String(fail));
    }
    await rejects(TypeError, element("b", (b) => b.append(streamOf("\udc00").pipeThrough(new TransformStream({
      transform: (_, controller) => controller.enqueue(new Uint8Array([0xff, 0xff, 0xff, 0xff])),
    })))).transform(page("<b></b>")).text());
    await rejects(TypeError, element("b", () => {}).transform(page(ReadableStream.from(["text"]))).text());
  },
  async "the source is cancelled with the page"() {
    let reason;
    const source = () => new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode("<b></b>")),
      cancel: (why) => (reason = why),
    });
    const error = new Error("mine");
    await rejects(Error, element("b", () => { throw error; }).transform(page(source())).text());
    equal(reason, error);
    await element("b", () => {}).transform(page(source())).body.cancel("why");
    equal(reason, "why");
  },
  async "a token is there until its handler ends"() {
    let kept;
    await rewritten("<b>", element("b", (b) => void (kept = b)));
    throws(TypeError, () => kept.tagName);
    throws(TypeError, () => kept.setAttribute("a", "b"));
    await rewritten("<b>x", element("b", async (b) => {
      kept = b;
      await later();
      equal(b.tagName, "b");
    }));
    throws(TypeError, () => kept.remove());
    throws(TypeError, () => new kept.constructor());
    throws(TypeError, () => Object.getPrototypeOf(kept).remove.call({}));
    equal(Object.prototype.toString.call(kept), "[object Element]");
  },
  async "a token has nothing of another kind"() {
    let remove;
    await rewritten("<b>x", element("b", (b) => void (remove = b.setAttribute)).on("b", {
      text: (text) => void throws(TypeError, () => remove.call(text, "a", "b")),
    }));
  },
  async "wrong names and texts are refused"() {
    await rewritten("<b><!--x-->", element("b", (b) => {
      throws(TypeError, () => b.setAttribute("a b", "c"));
      throws(TypeError, () => b.setAttribute("", "c"));
      throws(TypeError, () => (b.tagName = "1"));
      throws(TypeError, () => (b.tagName = ""));
      throws(TypeError, () => b.before());
      throws(TypeError, () => b.before("x", 1));
      throws(TypeError, () => b.onEndTag(1));
      throws(TypeError, () => b.getAttribute());
      equal(b.getAttribute("\ud800"), null);
    }).on("b", { comments: (comment) => void throws(TypeError, () => (comment.text = "-->")) }));
  },
  "selectors and handlers are checked at once"() {
    for (const selector of ["", "p:::", "p > ", "p + a", "a:hover", ":not(".repeat(100_000), "[".repeat(100_000)]) {
      throws(TypeError, () => on(selector, {}));
    }
    for (const selector of ["*", "p", ".a", "#a", "p > a", "p a", "a[href^='x' i]", ":not(.a)", "p:nth-child(2n+1)", "a, b"]) {
      on(selector, {});
    }
    throws(TypeError, () => on("p", { element: 1 }));
    throws(TypeError, () => new HTMLRewriter().on("p"));
    throws(TypeError, () => on("p", 1));
    throws(TypeError, () => new HTMLRewriter().onDocument());
    throws(TypeError, () => HTMLRewriter());
  },
  async "a response keeps its head, but for its length"() {
    const given = new Response("<b>", {
      status: 201, statusText: "Made", headers: { "content-length": "3", "x-a": "b", "content-type": "text/html" },
    });
    const response = new HTMLRewriter().transform(given);
    equal(response.status, 201);
    equal(response.statusText, "Made");
    same([...response.headers], [["content-type", "text/html"], ["x-a", "b"]]);
    response.headers.set("x-a", "c");
    equal(given.bodyUsed || given.body.locked, true);
    equal(await response.text(), "<b>");
    const empty = new Response(null, { status: 204 });
    equal(new HTMLRewriter().transform(empty), empty);
  },
  async "only a page that can be read is transformed"() {
    const used = page("x");
    await used.text();
    for (const bad of [used, Response.error(), "<p>", {}, undefined, Object.create(Response.prototype)]) {
      throws(TypeError, () => new HTMLRewriter().transform(bad));
    }
    throws(TypeError, () => new HTMLRewriter().transform());
  },
  async "the page's encoding is its own"() {
    const windows = new Uint8Array([0x3c, 0x70, 0x3e, 0xe4, 0x3c, 0x2f, 0x70, 0x3e]);
    let text;
    const rewriter = on("p", {
      text(chunk) {
        text ??= chunk.text;
        if (chunk.lastInTextNode) chunk.after("ö€");
      },
    });
    const response = new Response(windows, { headers: { "content-type": "text/html; charset=windows-1252" } });
    const bytes = await rewriter.transform(response).bytes();
    equal(text, "ä");
    same([...bytes], [0x3c, 0x70, 0x3e, 0xe4, 0xf6, 0x80, 0x3c, 0x2f, 0x70, 0x3e]);
    throws(TypeError, () => rewriter.transform(page("x", { "content-type": "text/html; charset=klingon" })));
    throws(TypeError, () => rewriter.transform(page("x", { "content-type": "text/html; charset=utf-16" })));
  },
  async "a page comes in any pieces, and in one"() {
    const html = `<!doctype html><title>t</title><a href="https://a.example/?b=c">€ text</a><!-- c --><script>"</b>"</script>`;
    const rewriter = element("a", (a) => a.setAttribute("href", "x")).on("script", { element: (s) => s.remove() });
    const expected = `<!doctype html><title>t</title><a href="x">€ text</a><!-- c -->`;
    const bytes = new TextEncoder().encode(html);
    for (const size of [1, 2, 3, 7, 50, 1000]) {
      const pieces = [];
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.slice(at, at + size));
      equal(await rewriter.transform(page(ReadableStream.from(pieces))).text(), expected, `in pieces of ${size}`);
    }
    const many = html.repeat(3000);
    equal(await rewritten(many, rewriter), expected.repeat(3000));
  },
  async "transforms can follow one another, and run side by side"() {
    const add = (text) => element("p", async (p) => void p.append(await later(text)));
    const twice = add("2").transform(add("1").transform(page("<p></p>")));
    equal(await twice.text(), "<p>12</p>");
    const rewriter = add("x");
    const all = await Promise.all(Array.from({ length: 20 }, () => rewriter.transform(page("<p></p>")).text()));
    ok(all.every((text) => text === "<p>x</p>"));
    const nested = element("p", async (p) => p.append(await rewritten("<b>", element("b", (b) => b.append("n"))), { html: true }));
    equal(await rewritten("<p></p>", nested), "<p><b></p>");
  },
  async "a handler may end its own page"() {
    let response;
    const rewriter = element("b", async (b) => {
      await reader.cancel("self");
      throws(TypeError, () => b.tagName);
    });
    response = rewriter.transform(page("<b></b><b></b>"));
    const reader = response.body.getReader();
    equal((await reader.read()).done, true);
  },
};
