// Bodies that flow: server-sent events, a text written line by line, and a request body sent straight back.

import page from "./page.html" with { type: "text" };

const encoder = new TextEncoder();
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A tick a second, until the client leaves. */
function events(request) {
  let timer;
  const body = new ReadableStream({
    start(controller) {
      let ticks = 0;
      const tick = () => {
        const data = JSON.stringify({ ticks: ticks++, time: new Date().toISOString() });
        controller.enqueue(encoder.encode(`id: ${ticks}\ndata: ${data}\n\n`));
      };
      tick();
      timer = setInterval(tick, 1000);
    },
    cancel: () => clearInterval(timer),
  });
  request.signal.addEventListener("abort", () => {
    clearInterval(timer);
    console.info("a listener left");
  });
  return new Response(body, { headers: { "content-type": "text/event-stream", "cache-control": "no-store" } });
}

/** The numbers from 1 to `n`, one line at a time: the next is made when the client has taken the last. */
function count(n) {
  let next = 1;
  const body = new ReadableStream({
    async pull(controller) {
      if (next > n) return controller.close();
      controller.enqueue(encoder.encode(`${next++}\n`));
      await pause(100);
    },
  });
  return new Response(body, { headers: { "content-type": "text/plain" } });
}

export default {
  fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    switch (pathname) {
      case "/":
        return new Response(page, { headers: { "content-type": "text/html; charset=utf-8" } });
      case "/events":
        return events(request);
      case "/count":
        return count(Math.min(Number(searchParams.get("n")) || 10, 1000));
      case "/echo":
        return new Response(request.body);
      default:
        return new Response("There is nothing here.\n", { status: 404 });
    }
  },
};
