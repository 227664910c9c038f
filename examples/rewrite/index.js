// A page that is changed on its way out, as it streams: HTMLRewriter.

import page from "./page.html" with { type: "text" };

/** What fills `<slot name="…">`. A filler may take its time; what stands before it is on its way meanwhile. */
const fillers = {
  async time() {
    await scheduler.wait(20);
    return `<p>Made at <time>${new Date().toISOString()}</time>.`;
  },
};

const rewriter = new HTMLRewriter()
  .on("a[href^='http']", {
    element(link) {
      link.setAttribute("rel", "noopener nofollow").after(" \u2197");
    },
  })
  .on("img", {
    element(image) {
      image.setAttribute("loading", "lazy");
    },
  })
  .on("slot", {
    async element(slot) {
      const filler = fillers[slot.getAttribute("name")];
      if (filler === undefined) slot.removeAndKeepContent();
      else slot.replace(await filler(), { html: true });
    },
  })
  .onDocument({
    comments(comment) {
      comment.remove();
    },
  });

export default {
  fetch() {
    return rewriter.transform(new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } }));
  },
};
