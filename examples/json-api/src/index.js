// Notes, kept in memory: gone when nano gives the isolate back, and not shared between two of them.

import { HttpError, Router } from "./router.js";

const notes = new Map();

const router = new Router()
  .on("GET", "/api/notes", ({ url }) => {
    const wanted = url.searchParams.get("q")?.toLowerCase() ?? "";
    return Response.json([...notes.values()].filter((note) => note.text.toLowerCase().includes(wanted)));
  })
  .on("POST", "/api/notes", async ({ request }) => {
    const note = { id: crypto.randomUUID(), text: await textOf(request) };
    notes.set(note.id, note);
    return Response.json(note, { status: 201, headers: { location: `/api/notes/${note.id}` } });
  })
  .on("GET", "/api/notes/:id", ({ params }) => Response.json(find(params.id)))
  .on("PUT", "/api/notes/:id", async ({ params, request }) => {
    const note = find(params.id);
    note.text = await textOf(request);
    return Response.json(note);
  })
  .on("DELETE", "/api/notes/:id", ({ params }) => {
    notes.delete(find(params.id).id);
    return new Response(null, { status: 204 });
  });

function find(id) {
  const note = notes.get(id);
  if (!note) throw new HttpError(404, `there is no note ${id}`);
  return note;
}

async function textOf(request) {
  const body = await request.text();
  let note;
  try {
    note = JSON.parse(body);
  } catch (error) {
    throw new HttpError(400, `the body is not JSON: ${error.message}`);
  }
  if (typeof note?.text !== "string") throw new HttpError(400, 'a note looks like {"text": "…"}');
  return note.text;
}

export default {
  fetch: (request, env, ctx) => router.handle(request, env, ctx),
};
