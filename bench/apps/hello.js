// What nano, Deno, Bun and workerd run: the same module.
export default {
  fetch() {
    return new Response("Hello, World!\n");
  },
};
