import {
  camelCase, chunk, cloneDeep, debounce, deburr, get, groupBy, isEqual, kebabCase, mapValues, merge, orderBy, sumBy,
  truncate, zipObject,
} from "lodash-es";

const PROGRAMMER = "\ud83d\udc69\u200d\ud83d\udcbb"; // one character of five code units

export default {
  async fetch(request) {
    const orders = await request.json();
    const copy = cloneDeep(orders);
    copy[0].tags?.push("copied");
    let calls = 0;
    const count = debounce(() => ++calls, 5);
    count();
    count();
    await new Promise((done) => setTimeout(done, 50));
    return Response.json({
      totals: mapValues(groupBy(orders, "customer.name"), (of) => sumBy(of, "total")),
      order: orderBy(orders, ["total", "id"], ["desc", "asc"]).map(({ id }) => id),
      pages: chunk(orders, 2).map(({ length }) => length),
      same: isEqual(orders, copy),
      missing: get(orders, "[0].customer.address.city", "unknown"),
      merged: merge({}, { a: { b: 1, list: [1, 2] } }, { a: { c: 2, list: [3] } }),
      words: [camelCase("content-type"), kebabCase("userIdOf2Things"), deburr("d\u00e9j\u00e0 vu")],
      cut: truncate(PROGRAMMER.repeat(3), { length: 2, omission: "" }),
      zipped: zipObject(["a", "b"], [1, 2]),
      kinds: [
        isEqual(new Map([["a", new Set([1])]]), new Map([["a", new Set([1])]])),
        isEqual(new Uint8Array([1, 2]), new Uint8Array([1, 3])),
      ],
      calls,
    });
  },
};
