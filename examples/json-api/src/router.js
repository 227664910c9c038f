// A small router: `/notes/:id` matches `/notes/7` and gives the handler `{ id: "7" }`.

export class HttpError extends Error {
  constructor(status, message, headers = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

export class Router {
  #routes = [];

  /** Adds a route. Its handler gets `{ request, url, params, env, ctx }` and returns a Response. */
  on(method, pattern, handler) {
    this.#routes.push({ method, segments: pattern.split("/"), handler });
    return this;
  }

  /** Answers a request, errors included. */
  async handle(request, env, ctx) {
    try {
      const url = new URL(request.url);
      const { handler, params } = this.#find(request.method, url.pathname);
      return await handler({ request, url, params, env, ctx });
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      return Response.json({ error: error.message }, { status: error.status, headers: error.headers });
    }
  }

  #find(method, path) {
    const segments = path.split("/");
    const matches = this.#routes
      .map((route) => ({ ...route, params: match(route.segments, segments) }))
      .filter((route) => route.params);
    if (matches.length === 0) throw new HttpError(404, "there is nothing here");
    const found = matches.find((route) => route.method === method);
    if (!found) {
      const allow = matches.map((route) => route.method).join(", ");
      throw new HttpError(405, `${method} is not possible here`, { allow });
    }
    return found;
  }
}

function match(pattern, segments) {
  if (pattern.length !== segments.length) return null;
  const params = {};
  for (const [at, part] of pattern.entries()) {
    if (part.startsWith(":")) {
      try {
        params[part.slice(1)] = decodeURIComponent(segments[at]);
      } catch {
        throw new HttpError(400, "the path is not valid UTF-8");
      }
    } else if (part !== segments[at]) {
      return null;
    }
  }
  return params;
}
