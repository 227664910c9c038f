"use strict";
// console: Console Standard. Every call is one line in the app's log; groups indent what is inside them, and end with
// the request that opened them.

(function (nano) {
  const { ops, context, describe, inspect } = nano;
  const {
    ErrorCaptureStackTrace, Map, MapPrototypeDelete, MapPrototypeGet, MapPrototypeGetSize, MapPrototypeHas,
    MapPrototypeSet, NumberParseFloat, NumberParseInt, NumberPrototypeToFixed, ObjectCreate,
    ObjectDefineProperty, ReflectOwnKeys, Set, SetPrototypeAdd, SetPrototypeForEach,
    String, StringPrototypeIndexOf, StringPrototypePadEnd, StringPrototypeReplaceAll,
    StringPrototypeSlice, SymbolPrototypeToString, isObject, newList, push,
  } = nano.primordials;

  const { DOMString, sequence, tag } = nano.webidl;

  const DEBUG = 0;
  const INFO = 1;
  const WARN = 2;
  const ERROR = 3;

  /** A line longer than this is cut. */
  const LENGTH = 65_536;

  /** Of a line longer than this nothing is shown: V8 would have to put it together first. */
  const HUGE = 16_777_216;

  const counts = new Map();
  const clocks = new Map();
  /** How far the lines of each request are indented that has opened a group. */
  const indents = new Map();
  const DEEPEST = 64;

  const indentOf = () =>
    MapPrototypeGetSize(indents) === 0 ? "" : (MapPrototypeGet(indents, context.current()) ?? "");

  function write(level, text) {
    const indent = indentOf();
    let line = text.length > HUGE ? `(a text of ${text.length} characters)` : text;
    if (indent !== "") line = indent + StringPrototypeReplaceAll(line, "\n", `\n${indent}`);
    const excess = line.length - LENGTH;
    if (excess > 0) line = `${StringPrototypeSlice(line, 0, LENGTH)}\u2026 ${excess} more characters`;
    ops.log(level, line);
  }

  /** §2.3 "printer" for values that are not formatted. */
  function join(values) {
    let text = "";
    for (let i = 0; i < values.length; i++) text += (i === 0 ? "" : " ") + show(values[i]);
    return text;
  }

  const show = (value) => (typeof value === "string" ? value : inspect(value));

  /** §2.1 "logger". */
  function log(level, args) {
    if (args.length !== 0) write(level, format(args));
  }

  /** §2.2 "formatter", and the rest of the arguments after it. */
  function format(args) {
    let text = "";
    let used = 0;
    if (typeof args[0] === "string") {
      const template = args[0];
      used = 1;
      if (args.length === 1) return template;
      let from = 0;
      for (;;) {
        const at = StringPrototypeIndexOf(template, "%", from);
        if (at === -1 || at + 1 === template.length) break;
        const specifier = template[at + 1];
        text += StringPrototypeSlice(template, from, at);
        from = at + 2;
        if (specifier === "%") text += "%";
        else if (used < args.length && isSpecifier(specifier)) text += substitute(specifier, args[used++]);
        else text += `%${specifier}`;
      }
      text += StringPrototypeSlice(template, from);
    }
    for (let i = used; i < args.length; i++) text += (i === 0 ? "" : " ") + show(args[i]);
    return text;
  }

  const isSpecifier = (character) => StringPrototypeIndexOf("sdifoOc", character) !== -1;

  function substitute(specifier, value) {
    switch (specifier) {
      case "s":
        if (isObject(value)) return inspect(value, 1);
        return typeof value === "symbol" ? SymbolPrototypeToString(value) : String(value);
      case "d":
      case "i":
        return numeric(value, NumberParseInt);
      case "f":
        return numeric(value, NumberParseFloat);
      case "c":
        // Styles mean nothing in a log.
        return "";
      default:
        return inspect(value);
    }
  }

  function numeric(value, parse) {
    if (typeof value === "bigint") return `${value}n`;
    return typeof value === "symbol" || isObject(value) ? "NaN" : `${parse(value, 10)}`;
  }

  const labelOf = (label) => (label === undefined ? "default" : `${label}`);

  const elapsed = (start) => `${NumberPrototypeToFixed(ops.now() - start, 3)}ms`;

  function table(data, columns) {
    if (!isObject(data)) return show(data);
    const wanted = columns === undefined ? undefined : new Set();
    for (let i = 0; i < columns?.length; i++) SetPrototypeAdd(wanted, columns[i]);
    const names = wanted ?? new Set();
    const rows = newList();
    const keys = ReflectOwnKeys(data);
    let hasValues = false;
    for (let i = 0; i < keys.length && rows.length < 1000; i++) {
      const descriptor = describe(data, keys[i]);
      if (typeof keys[i] === "symbol" || descriptor === undefined || !descriptor.enumerable) continue;
      const { value } = descriptor;
      const row = { __proto__: null, index: keys[i], cells: new Map(), value: undefined };
      if (isObject(value) && ops.kind_of(value) !== "proxy") {
        const members = ReflectOwnKeys(value);
        for (let j = 0; j < members.length && j < 100; j++) {
          const cell = describe(value, members[j]);
          if (typeof members[j] === "symbol" || cell === undefined || !cell.enumerable) continue;
          if (wanted === undefined) SetPrototypeAdd(names, members[j]);
          MapPrototypeSet(row.cells, members[j], "value" in cell ? inspect(cell.value, 1) : "[Getter]");
        }
      } else {
        hasValues = true;
        row.value = inspect(value, 1);
      }
      push(rows, row);
    }
    const head = newList();
    push(head, "(index)");
    SetPrototypeForEach(names, (name) => push(head, name));
    if (hasValues) push(head, "Values");
    const lines = newList();
    push(lines, head);
    for (let i = 0; i < rows.length; i++) {
      const line = newList();
      push(line, rows[i].index);
      SetPrototypeForEach(names, (name) => push(line, MapPrototypeGet(rows[i].cells, name) ?? ""));
      if (hasValues) push(line, rows[i].value ?? "");
      push(lines, line);
    }
    return align(lines);
  }

  /** Rows of cells as text in columns. */
  function align(lines) {
    const widths = newList();
    for (let i = 0; i < lines.length; i++) {
      for (let j = 0; j < lines[i].length; j++) {
        if (!(widths[j] >= lines[i][j].length)) widths[j] = lines[i][j].length;
      }
    }
    let text = "";
    for (let i = 0; i < lines.length; i++) {
      if (i !== 0) text += "\n";
      for (let j = 0; j < lines[i].length; j++) {
        text += j === 0 ? "" : " | ";
        text += j === lines[i].length - 1 ? lines[i][j] : StringPrototypePadEnd(lines[i][j], widths[j]);
      }
    }
    return text;
  }

  function group(data) {
    if (data.length !== 0) write(INFO, format(data));
    const indent = indentOf();
    if (indent.length < DEEPEST) MapPrototypeSet(indents, context.current(), `${indent}  `);
  }

  /** Ends all groups of a request. */
  const endGroups = (token) => MapPrototypeDelete(indents, token);

  const methods = {
    // §1.1: logging.
    assert(condition = false, ...data) {
      if (condition) return;
      if (data.length === 0) {
        write(ERROR, "Assertion failed");
      } else {
        write(ERROR, `Assertion failed${typeof data[0] === "string" ? ": " : " "}${format(data)}`);
      }
    },
    clear() {
      // Logs are not a screen: what is left of it is that groups end.
      endGroups(context.current());
    },
    debug(...data) {
      log(DEBUG, data);
    },
    error(...data) {
      log(ERROR, data);
    },
    info(...data) {
      log(INFO, data);
    },
    log(...data) {
      log(INFO, data);
    },
    table(tabularData = undefined, properties = undefined) {
      const columns =
        properties === undefined ? undefined : sequence(properties, DOMString, "console.table's properties");
      write(INFO, table(tabularData, columns));
    },
    trace(...data) {
      const holder = { __proto__: null };
      ErrorCaptureStackTrace(holder, methods.trace);
      const lines = `${holder.stack}`;
      const frames = StringPrototypeIndexOf(lines, "\n");
      const text = data.length === 0 ? "Trace" : `Trace: ${format(data)}`;
      write(INFO, frames === -1 ? text : text + StringPrototypeSlice(lines, frames));
    },
    warn(...data) {
      log(WARN, data);
    },
    dir(item = undefined, options = undefined) {
      const depth = isObject(options) ? options.depth : undefined;
      // 0 is the object's own members, as elsewhere.
      write(INFO, inspect(item, depth === null ? Infinity : typeof depth === "number" ? depth + 1 : undefined));
    },
    dirxml(...data) {
      log(INFO, data);
    },

    // §1.2: counting.
    count(label = "default") {
      const name = labelOf(label);
      const count = (MapPrototypeGet(counts, name) ?? 0) + 1;
      MapPrototypeSet(counts, name, count);
      write(INFO, `${name}: ${count}`);
    },
    countReset(label = "default") {
      const name = labelOf(label);
      if (!MapPrototypeDelete(counts, name)) write(WARN, `Count for "${name}" does not exist`);
    },

    // §1.3: grouping.
    group(...data) {
      group(data);
    },
    groupCollapsed(...data) {
      group(data);
    },
    groupEnd() {
      const indent = StringPrototypeSlice(indentOf(), 2);
      if (indent === "") endGroups(context.current());
      else MapPrototypeSet(indents, context.current(), indent);
    },

    // §1.4: timing.
    time(label = "default") {
      const name = labelOf(label);
      if (MapPrototypeHas(clocks, name)) write(WARN, `Timer "${name}" already exists`);
      else MapPrototypeSet(clocks, name, ops.now());
    },
    timeLog(label = "default", ...data) {
      const name = labelOf(label);
      const start = MapPrototypeGet(clocks, name);
      if (start === undefined) write(WARN, `Timer "${name}" does not exist`);
      else write(INFO, `${name}: ${elapsed(start)}${data.length === 0 ? "" : ` ${join(data)}`}`);
    },
    timeEnd(label = "default") {
      const name = labelOf(label);
      const start = MapPrototypeGet(clocks, name);
      if (start === undefined) {
        write(WARN, `Timer "${name}" does not exist`);
        return;
      }
      MapPrototypeDelete(clocks, name);
      write(INFO, `${name}: ${elapsed(start)}`);
    },
  };

  // A namespace (Web IDL §3.13), with the prototype of its own that §1 asks for. V8's own console makes room.
  const namespace = ObjectCreate({});
  const names = ReflectOwnKeys(methods);
  for (let i = 0; i < names.length; i++) {
    ObjectDefineProperty(namespace, names[i], {
      __proto__: null, value: methods[names[i]], writable: true, enumerable: true, configurable: true,
    });
  }
  tag(namespace, "console");
  context.onEnd(endGroups);
  nano.expose("console", namespace);
});
