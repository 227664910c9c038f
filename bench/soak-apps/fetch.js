// Asks another app, over a socket, and passes its answer on.
export default {
  async fetch(request, env) {
    const answer = await fetch(`${env.ORIGIN}/hello`);
    return new Response(`fetched: ${await answer.text()}`, { status: answer.status });
  },
};
