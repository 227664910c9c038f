// The app that runs the tests beside it: `GET /headers` runs headers.js and answers what passed and what failed.

export default {
  async fetch(request) {
    const [, name] = /^\/([a-z0-9_]+)$/.exec(new URL(request.url).pathname) ?? [];
    if (name === undefined) return new Response("which file?", { status: 404 });
    const { tests = {} } = await import(`./${name}.js`);
    const passed = [];
    const failed = [];
    for (const [title, run] of Object.entries(tests)) {
      try {
        await run();
        passed.push(title);
      } catch (error) {
        failed.push({ name: title, error: String(error?.stack ?? error) });
      }
    }
    return Response.json({ passed, failed });
  },
};
