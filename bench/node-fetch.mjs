// Node's own server around a shared module that answers GET requests.
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";

const { default: app } = await import(pathToFileURL(process.env.APP));

createServer(async (request, response) => {
  const answer = await app.fetch(new Request(`http://localhost${request.url}`));
  response.writeHead(answer.status, Object.fromEntries(answer.headers));
  response.end(await answer.text());
}).listen(Number(process.env.PORT), "127.0.0.1");
