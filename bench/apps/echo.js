// A JSON body read and written back, with one header read and one set.
export default {
  async fetch(request) {
    const data = await request.json();
    return Response.json(data, { headers: { "x-seen": request.headers.get("x-bench") ?? "nothing" } });
  },
};
