// The answers of apps/hello.js and apps/echo.js by Node's own server.
import { createServer } from "node:http";

const hello = (request, response) => {
  response.setHeader("content-type", "text/plain;charset=UTF-8");
  response.end("Hello, World!\n");
};
const echo = (request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const data = JSON.parse(Buffer.concat(chunks).toString());
    response.setHeader("content-type", "application/json");
    response.setHeader("x-seen", request.headers["x-bench"] ?? "nothing");
    response.end(JSON.stringify(data));
  });
};
const server = createServer((request, response) => (request.method === "POST" ? echo : hello)(request, response));
server.listen(Number(process.env.PORT), "127.0.0.1");
