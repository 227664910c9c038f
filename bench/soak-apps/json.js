// Reads JSON, answers JSON.
export default {
  async fetch(request) {
    const { id, numbers } = await request.json();
    return Response.json({ id, sum: numbers.reduce((sum, number) => sum + number, 0) });
  },
};
