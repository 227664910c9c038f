"use strict";
// The tokens of a pattern string: URL Pattern Standard §2.1.2.

(function (nano) {
  const {
    RegExpPrototypeExec, StringFromCodePoint, StringPrototypeCharCodeAt, StringPrototypeCodePointAt,
    StringPrototypeSlice, TypeError, newList, push,
  } = nano.primordials;

  // The types of tokens.
  const OPEN = 0;
  const CLOSE = 1;
  const REGEXP = 2;
  const NAME = 3;
  const CHAR = 4;
  const ESCAPED_CHAR = 5;
  const OTHER_MODIFIER = 6;
  const ASTERISK = 7;
  const END = 8;
  const INVALID_CHAR = 9;

  const identifierStart = /^[\p{ID_Start}$_]$/u;
  const identifierPart = /^[\p{ID_Continue}$\u200c\u200d]$/u;

  /** "Is a valid name code point". */
  const isNameCodePoint = (text, first) =>
    RegExpPrototypeExec(first ? identifierStart : identifierPart, text) !== null;

  /** The code point of `text` at `index`, as a string. */
  const codePointAt = (text, index) => StringFromCodePoint(StringPrototypeCodePointAt(text, index));

  /** "Tokenize". What is wrong throws, or becomes a token of its own where `lenient`. */
  function tokenize(input, lenient) {
    const tokens = newList();
    const { length } = input;
    let index = 0;

    function add(type, next, from, to = next) {
      push(tokens, { type, index, value: StringPrototypeSlice(input, from, to) });
      index = next;
    }

    function fail(next, from) {
      if (!lenient) throw new TypeError(`URLPattern: the pattern "${input}" is malformed at ${index}`);
      add(INVALID_CHAR, next, from);
    }

    while (index < length) {
      const character = codePointAt(input, index);
      const next = index + character.length;
      switch (character) {
        case "*":
          add(ASTERISK, next, index);
          break;
        case "+":
        case "?":
          add(OTHER_MODIFIER, next, index);
          break;
        case "\\":
          if (next === length) fail(next, index);
          else add(ESCAPED_CHAR, next + codePointAt(input, next).length, next);
          break;
        case "{":
          add(OPEN, next, index);
          break;
        case "}":
          add(CLOSE, next, index);
          break;
        case ":": {
          let end = next;
          while (end < length) {
            const part = codePointAt(input, end);
            if (!isNameCodePoint(part, end === next)) break;
            end += part.length;
          }
          if (end === next) fail(next, index);
          else add(NAME, end, next);
          break;
        }
        case "(": {
          const end = endOfRegExp(input, next);
          if (end === 0) fail(next, index);
          else add(REGEXP, end, next, end - 1);
          break;
        }
        default:
          add(CHAR, next, index);
      }
    }
    add(END, index, index);
    return tokens;
  }

  /** Step 3.8: where the group ends whose regular expression begins at `start`; 0 if it is malformed. */
  function endOfRegExp(input, start) {
    const { length } = input;
    let depth = 1;
    let at = start;
    while (at < length) {
      if (StringPrototypeCharCodeAt(input, at) > 0x7f) return 0;
      switch (input[at]) {
        case "?":
          if (at === start) return 0;
          break;
        case "\\":
          at++;
          if (at === length || StringPrototypeCharCodeAt(input, at) > 0x7f) return 0;
          break;
        case ")":
          if (--depth === 0) return at === start ? 0 : at + 1;
          break;
        case "(":
          depth++;
          if (input[at + 1] !== "?") return 0;
          break;
        default:
      }
      at++;
    }
    return 0;
  }

  nano.urlPattern = {
    __proto__: null,
    OPEN, CLOSE, REGEXP, NAME, CHAR, ESCAPED_CHAR, OTHER_MODIFIER, ASTERISK, END, INVALID_CHAR,
    tokenize, isNameCodePoint, codePointAt,
  };
});
