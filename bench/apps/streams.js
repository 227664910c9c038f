// Bodies of any size: made by the app, read by it, or passed on.
const CHUNK = new Uint8Array(64 * 1024);

function made(bytes) {
  let left = bytes;
  return new ReadableStream({
    pull(controller) {
      if (left <= 0) {
        controller.close();
        return;
      }
      controller.enqueue(CHUNK.slice(0, Math.min(left, CHUNK.length)));
      left -= CHUNK.length;
    },
  });
}

async function read(body) {
  let bytes = 0;
  for await (const chunk of body) bytes += chunk.length;
  return bytes;
}

export default {
  async fetch(request) {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/made":
        return new Response(made(Number(url.searchParams.get("bytes"))));
      case "/read":
        return new Response(`${await read(request.body)}`);
      case "/proxied":
        return fetch(url.searchParams.get("from"));
      case "/echoed":
        return new Response(request.body);
      default:
        return new Response("Hello, World!\n");
    }
  },
};
