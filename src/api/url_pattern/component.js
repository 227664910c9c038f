"use strict";
// The pattern of one component of a URL: URL Pattern Standard §2.1 (pattern strings, and parts), §2.2 (regular
// expressions) and §2.3 (pattern strings back from parts).

(function (nano) {
  const { MathMax, ObjectDefineProperty, RegExp, RegExpPrototypeExec, StringPrototypeAt, TypeError, newList, push } =
    nano.primordials;
  const {
    OPEN, CLOSE, REGEXP, NAME, CHAR, ESCAPED_CHAR, OTHER_MODIFIER, ASTERISK, END, tokenize, isNameCodePoint,
    codePointAt,
  } = nano.urlPattern;

  // The types of parts. A regular expression is one of an app's own.
  const FIXED = 0;
  const MATCHES = 1;
  const SEGMENT = 2;
  const FULL = 3;

  /** The longest pattern of a component, as there is a longest URL. */
  const LONGEST = 1 << 16;

  /** "Options": code points that end a segment, and that a group takes with it. */
  const defaults = { __proto__: null, delimiter: "", prefix: "" };
  const hostname = { __proto__: null, delimiter: ".", prefix: "" };
  const pathname = { __proto__: null, delimiter: "/", prefix: "/" };

  const FULL_WILDCARD = ".*";

  function escapeWith(isSpecial, text) {
    let escaped = "";
    for (let i = 0; i < text.length; i++) escaped += isSpecial(text[i]) ? `\\${text[i]}` : text[i];
    return escaped;
  }

  const isRegExpSyntax = (character) => RegExpPrototypeExec(/[.+*?^${}()[\]|/\\]/, character) !== null;
  const isPatternSyntax = (character) => RegExpPrototypeExec(/[+*?:{}()\\]/, character) !== null;

  /** "Escape a regexp string" and "escape a pattern string". */
  const escapeRegExp = (text) => escapeWith(isRegExpSyntax, text);
  const escapePattern = (text) => escapeWith(isPatternSyntax, text);

  /** "Generate a segment wildcard regexp". */
  const segmentWildcard = ({ delimiter }) => `[^${escapeRegExp(delimiter)}]+?`;

  /** "Pattern parser". */
  class Parser {
    #tokens;
    #encode;
    #options;
    #segment;
    #parts = newList();
    #pending = "";
    #index = 0;
    #nextName = 0;

    constructor(input, encode, options) {
      this.#tokens = tokenize(input, false);
      this.#encode = encode;
      this.#options = options;
      this.#segment = segmentWildcard(options);
    }

    /** "Parse a pattern string". */
    parse() {
      while (this.#index < this.#tokens.length) {
        const character = this.#take(CHAR);
        const name = this.#take(NAME);
        const matcher = this.#takeMatcher(name);
        if (name !== null || matcher !== null) {
          let prefix = character === null ? "" : character.value;
          if (prefix !== "" && prefix !== this.#options.prefix) {
            this.#pending += prefix;
            prefix = "";
          }
          this.#flush();
          this.#add(prefix, name, matcher, "", this.#takeModifier());
          continue;
        }
        const fixed = character ?? this.#take(ESCAPED_CHAR);
        if (fixed !== null) {
          this.#pending += fixed.value;
          continue;
        }
        if (this.#take(OPEN) !== null) {
          const prefix = this.#takeText();
          const inner = this.#take(NAME);
          const innerMatcher = this.#takeMatcher(inner);
          const suffix = this.#takeText();
          this.#require(CLOSE);
          this.#add(prefix, inner, innerMatcher, suffix, this.#takeModifier());
          continue;
        }
        this.#flush();
        this.#require(END);
      }
      return this.#parts;
    }

    #take(type) {
      const token = this.#tokens[this.#index];
      if (token === undefined || token.type !== type) return null;
      this.#index++;
      return token;
    }

    /** "Try to consume a regexp or wildcard token". */
    #takeMatcher(name) {
      const token = this.#take(REGEXP);
      return name === null && token === null ? this.#take(ASTERISK) : token;
    }

    #takeModifier() {
      return (this.#take(OTHER_MODIFIER) ?? this.#take(ASTERISK))?.value ?? "";
    }

    #takeText() {
      let text = "";
      for (;;) {
        const token = this.#take(CHAR) ?? this.#take(ESCAPED_CHAR);
        if (token === null) return text;
        text += token.value;
      }
    }

    #require(type) {
      if (this.#take(type) === null) throw new TypeError("URLPattern: the pattern is malformed");
    }

    /** "Maybe add a part from the pending fixed value". */
    #flush() {
      if (this.#pending === "") return;
      const value = this.#encode(this.#pending);
      this.#pending = "";
      push(this.#parts, { type: FIXED, value, modifier: "", name: "", prefix: "", suffix: "" });
    }

    /** "Add a part". */
    #add(prefix, name, matcher, suffix, modifier) {
      if (name === null && matcher === null && modifier === "") {
        this.#pending += prefix;
        return;
      }
      this.#flush();
      if (name === null && matcher === null) {
        if (prefix === "") return;
        push(this.#parts, { type: FIXED, value: this.#encode(prefix), modifier, name: "", prefix: "", suffix: "" });
        return;
      }
      let value = matcher === null ? this.#segment : matcher.type === ASTERISK ? FULL_WILDCARD : matcher.value;
      let type = MATCHES;
      if (value === this.#segment) type = SEGMENT;
      else if (value === FULL_WILDCARD) type = FULL;
      if (type !== MATCHES) value = "";
      const label = name !== null ? name.value : `${this.#nextName++}`;
      for (let i = 0; i < this.#parts.length; i++) {
        if (this.#parts[i].name === label) throw new TypeError(`URLPattern: there are two groups of the name ${label}`);
      }
      push(this.#parts, {
        type, value, modifier, name: label, prefix: this.#encode(prefix), suffix: this.#encode(suffix),
      });
    }
  }

  /** What the group of a part matches. */
  function sourceOf(part, options) {
    if (part.type === SEGMENT) return segmentWildcard(options);
    return part.type === FULL ? FULL_WILDCARD : part.value;
  }

  /** "Generate a regular expression and name list": the former. */
  function toRegExp(parts, options) {
    let result = "^";
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i];
      const { modifier } = part;
      if (part.type === FIXED) {
        const value = escapeRegExp(part.value);
        result += modifier === "" ? value : `(?:${value})${modifier}`;
        continue;
      }
      const source = sourceOf(part, options);
      const repeats = modifier === "*" || modifier === "+";
      const prefix = escapeRegExp(part.prefix);
      const suffix = escapeRegExp(part.suffix);
      if (prefix === "" && suffix === "") {
        result += repeats ? `((?:${source})${modifier})` : `(${source})${modifier}`;
      } else if (!repeats) {
        result += `(?:${prefix}(${source})${suffix})${modifier}`;
      } else {
        result += `(?:${prefix}((?:${source})(?:${suffix}${prefix}(?:${source}))*)${suffix})`;
        if (modifier === "*") result += "?";
      }
    }
    return `${result}$`;
  }

  const isDigit = (text) => text[0] >= "0" && text[0] <= "9";
  const goesOnAName = (text) => text !== "" && isNameCodePoint(codePointAt(text, 0), false);

  /** "Generate a pattern string". */
  function toPattern(parts, options) {
    let result = "";
    for (let i = 0; i < parts.length; i++) {
      const part = parts[i];
      const previous = parts[i - 1];
      const next = parts[i + 1];
      if (part.type === FIXED) {
        const value = escapePattern(part.value);
        result += part.modifier === "" ? value : `{${value}}${part.modifier}`;
        continue;
      }
      const isNamed = !isDigit(part.name);
      let isGrouped = part.suffix !== "" || (part.prefix !== "" && part.prefix !== options.prefix);
      if (
        !isGrouped && isNamed && part.type === SEGMENT && part.modifier === "" && next !== undefined &&
        next.prefix === "" && next.suffix === ""
      ) {
        isGrouped = next.type === FIXED ? goesOnAName(next.value) : isDigit(next.name);
      }
      if (
        !isGrouped && part.prefix === "" && previous !== undefined && previous.type === FIXED &&
        options.prefix !== "" && StringPrototypeAt(previous.value, -1) === options.prefix
      ) {
        isGrouped = true;
      }
      if (isGrouped) result += "{";
      result += escapePattern(part.prefix);
      if (isNamed) result += `:${part.name}`;
      if (part.type === MATCHES) {
        result += `(${part.value})`;
      } else if (part.type === SEGMENT && !isNamed) {
        result += `(${segmentWildcard(options)})`;
      } else if (part.type === FULL) {
        const isBare = !isNamed && (
          previous === undefined || previous.type === FIXED || previous.modifier !== "" || isGrouped ||
          part.prefix !== ""
        );
        result += isBare ? "*" : `(${FULL_WILDCARD})`;
      }
      if (part.type === SEGMENT && isNamed && goesOnAName(part.suffix)) result += "\\";
      result += escapePattern(part.suffix);
      if (isGrouped) result += "}";
      result += part.modifier;
    }
    return result;
  }

  /**
   * "Compile a component". What most components are, no regular expression is asked: a text that is the same, and
   * anything. (What is matched is always a part of a URL, in which there are no line breaks.)
   */
  class Component {
    pattern;
    names = newList();
    /** What `names` name, as properties that are undefined. */
    groups = {};
    hasRegExpGroups = false;
    parts;
    #text = undefined;
    #matchesAll = false;
    #regexp = undefined;
    #encode;

    constructor(input, encode, options, ignoreCase) {
      if (input.length > LONGEST) throw new TypeError("URLPattern: the pattern is too long");
      const parts = new Parser(input, encode, options).parse();
      this.parts = parts;
      this.#encode = encode;
      this.pattern = toPattern(parts, options);
      for (let i = 0; i < parts.length; i++) {
        if (parts[i].type === MATCHES) this.hasRegExpGroups = true;
        if (parts[i].type === FIXED) continue;
        push(this.names, parts[i].name);
        ObjectDefineProperty(this.groups, parts[i].name, {
          __proto__: null, value: undefined, writable: true, enumerable: true, configurable: true,
        });
      }
      if (parts.length === 0) {
        this.#text = "";
      } else if (parts.length === 1 && parts[0].modifier === "" && parts[0].type === FIXED && !ignoreCase) {
        this.#text = parts[0].value;
      } else if (parts.length === 1 && parts[0].type === FULL && isAll(parts[0])) {
        this.#matchesAll = true;
      } else {
        this.#regexp = compile(toRegExp(parts, options), ignoreCase);
      }
    }

    /** Whether `input` matches. */
    test(input) {
      if (this.#text !== undefined) return input === this.#text;
      return this.#matchesAll || RegExpPrototypeExec(this.#regexp, input) !== null;
    }

    /** Whether `part(url)` matches; where anything does, it is not cut out of the URL. */
    testPart(url, part) {
      return this.#matchesAll || this.test(part(url));
    }

    /** What the groups match, from index 1 on; null if `input` does not match. */
    exec(input) {
      if (this.#text !== undefined) return input === this.#text ? none : null;
      return this.#matchesAll ? [input, input] : RegExpPrototypeExec(this.#regexp, input);
    }

    /** A text that matches, with what `groupOf(name)` gives in the place of each group. */
    generate(groupOf) {
      let result = "";
      for (let i = 0; i < this.parts.length; i++) {
        const { type, value, modifier, name, prefix, suffix } = this.parts[i];
        const group = type === SEGMENT ? groupOf(name) : undefined;
        if (modifier !== "" || (type !== FIXED && group === undefined)) {
          throw new TypeError("URLPattern.generate: a part of the pattern may be of many texts");
        }
        result += type === FIXED ? value : prefix + this.#encode(group) + suffix;
      }
      if (!this.test(result)) throw new TypeError("URLPattern.generate: the text would not match");
      return result;
    }
  }

  const none = [""];

  /** What stands where a list of parts has ended. */
  const nothing = { type: FIXED, value: "", modifier: "", name: "", prefix: "", suffix: "" };

  // From the least restrictive on.
  const typeRanks = { __proto__: null, [FULL]: 0, [SEGMENT]: 1, [MATCHES]: 2, [FIXED]: 3 };
  const modifierRanks = { __proto__: null, "*": 0, "?": 1, "+": 2, "": 3 };

  const order = (left, right) => (left < right ? -1 : left > right ? 1 : 0);

  /** Which of two parts is the more restrictive: 1 if that is the left one. */
  function compareParts(left, right) {
    return order(typeRanks[left.type], typeRanks[right.type]) ||
      order(modifierRanks[left.modifier], modifierRanks[right.modifier]) ||
      order(left.prefix, right.prefix) || order(left.value, right.value) || order(left.suffix, right.suffix);
  }

  /** Which of two components is the more restrictive, by the first of their parts that differ. */
  function compare(left, right) {
    const length = MathMax(left.parts.length, right.parts.length);
    for (let i = 0; i < length; i++) {
      const result = compareParts(left.parts[i] ?? nothing, right.parts[i] ?? nothing);
      if (result !== 0) return result;
    }
    return 0;
  }

  const isAll = ({ prefix, suffix, modifier }) => prefix === "" && suffix === "" && modifier === "";

  function compile(source, ignoreCase) {
    try {
      return new RegExp(source, ignoreCase ? "vi" : "v");
    } catch {
      throw new TypeError("URLPattern: a group is no regular expression");
    }
  }

  nano.urlPattern.compare = compare;
  nano.urlPattern.Component = Component;
  nano.urlPattern.escapePattern = escapePattern;
  nano.urlPattern.options = { __proto__: null, defaults, hostname, pathname };
});
