// Bun.serve around the shared module.
import app from "./hello.js";

Bun.serve({ hostname: "127.0.0.1", port: Number(process.env.PORT), fetch: app.fetch });
