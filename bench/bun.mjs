// Bun.serve around a shared module.
const { default: app } = await import(process.env.APP);

Bun.serve({ hostname: "127.0.0.1", port: Number(process.env.PORT), maxRequestBodySize: 2 ** 40, fetch: app.fetch });
