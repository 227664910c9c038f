// Lines, a few at once and then a pause, as many as ?lines= asks for.
const encoder = new TextEncoder();

export default {
  fetch(request) {
    const lines = Number(new URL(request.url).searchParams.get("lines"));
    let line = 0;
    const body = new ReadableStream({
      async pull(controller) {
        if (line % 4 === 3) await new Promise((resolve) => setTimeout(resolve, 1));
        if (line === lines) return controller.close();
        controller.enqueue(encoder.encode(`line ${line++} of ${lines}\n`));
      },
    });
    return new Response(body, { headers: { "content-type": "text/plain" } });
  },
};
