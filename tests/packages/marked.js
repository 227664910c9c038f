import { Marked } from "marked";

const marked = new Marked({ gfm: true, async: true }, {
  renderer: {
    heading({ tokens, depth }) {
      const text = this.parser.parseInline(tokens);
      return `<h${depth} id="${text.toLowerCase().replace(/[^\p{L}\d]+/gu, "-")}">${text}</h${depth}>\n`;
    },
  },
  async walkTokens(token) {
    if (token.type === "link") token.href = new URL(token.href, "https://docs.example/guide/").href;
  },
});

export default {
  async fetch(request) {
    const html = await marked.parse(await request.text());
    return new Response(html, { headers: { "content-type": "text/html; charset=utf-8" } });
  },
};
