// Reads a body as it comes, and says what it was.
export default {
  async fetch(request) {
    let length = 0;
    let sum = 0;
    for await (const chunk of request.body) {
      length += chunk.length;
      for (const byte of chunk) sum += byte;
    }
    return Response.json({ length, sum });
  },
};
