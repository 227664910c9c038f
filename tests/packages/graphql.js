// GraphQL over HTTP: a query in the address or in the body, one answer.

import { buildSchema, execute, GraphQLError, parse, printSchema, validate } from "graphql";

const schema = buildSchema(`
  "A book on a shelf"
  type Book { id: ID!, title: String!, author: Author! }
  type Author { name: String!, books: [Book!]! }
  input NewBook { title: String!, author: String! }
  type Query { book(id: ID!): Book, books(limit: Int = 10): [Book!]! }
  type Mutation { add(book: NewBook!): Book! }
`);

const books = [
  { id: "1", title: "The Trial", author: "Kafka" },
  { id: "2", title: "The Castle", author: "Kafka" },
  { id: "3", title: "Ficciones", author: "Borges" },
].map(shelved);

function shelved({ id, title, author }) {
  return { id, title, author: () => authored(author), by: author };
}

function authored(name) {
  return { name, books: () => books.filter((book) => book.by === name) };
}

const rootValue = {
  books: ({ limit }) => books.slice(0, limit),
  async book({ id }) {
    const book = books.find((book) => book.id === id);
    if (!book) throw new GraphQLError(`no book ${id}`, { extensions: { code: "NOT_FOUND" } });
    return book;
  },
  add: ({ book }) => shelved({ id: String(books.length + 1), ...book }),
};

async function answer({ query, variables, operationName }) {
  let document;
  try {
    document = parse(query);
  } catch (error) {
    return { errors: [error] };
  }
  const errors = validate(schema, document);
  if (errors.length > 0) return { errors };
  return await execute({ schema, document, rootValue, variableValues: variables, operationName });
}

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === "/schema") return new Response(printSchema(schema));
    const asked = request.method === "POST" ? await request.json() : Object.fromEntries(searchParams);
    const result = await answer(asked);
    return Response.json(result, {
      status: result.data === undefined ? 400 : 200,
      headers: { "content-type": "application/graphql-response+json" },
    });
  },
};
