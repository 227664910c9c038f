// The same answer with Node's own server.
import { createServer } from "node:http";

const server = createServer((request, response) => {
  response.setHeader("content-type", "text/plain;charset=UTF-8");
  response.end("Hello, World!\n");
});
server.listen(Number(process.env.PORT), "127.0.0.1");
