"use strict";
// A pattern given as one string, taken apart: URL Pattern Standard §1.6 (constructor string parsing).

(function (nano) {
  const { StringPrototypeSlice } = nano.primordials;
  const {
    OPEN, CLOSE, REGEXP, NAME, CHAR, ESCAPED_CHAR, ASTERISK, END, INVALID_CHAR, tokenize,
  } = nano.urlPattern;

  // States, each but the first two and the last named after the component it is in.
  const INIT = "init";
  const AUTHORITY = "authority";
  const DONE = "done";

  /** The order in which components follow each other. */
  const RANK = {
    __proto__: null, init: 0, protocol: 1, authority: 2, username: 3, password: 4, hostname: 5, port: 6, pathname: 7,
    search: 8, hash: 9, done: 10,
  };

  class Parser {
    #input;
    #tokens;
    #isSpecial;
    #result = { __proto__: null };
    #start = 0;
    #index = 0;
    #increment = 1;
    #depth = 0;
    #brackets = 0;
    #hasSpecialScheme = false;
    #state = INIT;

    constructor(input, isSpecial) {
      this.#input = input;
      this.#tokens = tokenize(input, true);
      this.#isSpecial = isSpecial;
    }

    /** "Parse a constructor string". */
    parse() {
      while (this.#index < this.#tokens.length) {
        this.#increment = 1;
        const { type } = this.#tokens[this.#index];
        if (type === END) {
          if (this.#state === INIT) {
            this.#rewind();
            if (this.#is("#")) this.#change("hash", 1);
            else if (this.#isSearchPrefix()) this.#change("search", 1);
            else this.#change("pathname", 0);
          } else if (this.#state === AUTHORITY) {
            this.#rewind();
            this.#state = "hostname";
          } else {
            this.#change(DONE, 0);
            break;
          }
        } else if (type === OPEN) {
          this.#depth++;
        } else if (this.#depth > 0 && type !== CLOSE) {
          // Within a group nothing ends.
        } else {
          if (this.#depth > 0) this.#depth--;
          this.#step();
        }
        this.#index += this.#increment;
      }
      const result = this.#result;
      if (result.hostname !== undefined && result.port === undefined) result.port = "";
      return result;
    }

    #step() {
      switch (this.#state) {
        case INIT:
          if (this.#is(":")) this.#rewindTo("protocol");
          break;
        case "protocol":
          if (!this.#is(":")) break;
          this.#hasSpecialScheme = this.#isSpecial(this.#component());
          if (this.#isAt(this.#index + 1, "/") && this.#isAt(this.#index + 2, "/")) this.#change(AUTHORITY, 3);
          else this.#change(this.#hasSpecialScheme ? AUTHORITY : "pathname", 1);
          break;
        case AUTHORITY:
          if (this.#is("@")) this.#rewindTo("username");
          else if (this.#is("/") || this.#isSearchPrefix() || this.#is("#")) this.#rewindTo("hostname");
          break;
        case "username":
          if (this.#is(":")) this.#change("password", 1);
          else if (this.#is("@")) this.#change("hostname", 1);
          break;
        case "password":
          if (this.#is("@")) this.#change("hostname", 1);
          break;
        case "hostname":
          if (this.#is("[")) this.#brackets++;
          else if (this.#is("]")) this.#brackets--;
          else if (this.#is(":") && this.#brackets === 0) this.#change("port", 1);
          else this.#endBefore("pathname");
          break;
        case "port":
          this.#endBefore("pathname");
          break;
        case "pathname":
          this.#endBefore("search");
          break;
        case "search":
          this.#endBefore("hash");
          break;
        default:
      }
    }

    /** To what begins here, if it may be `first` or what follows that. */
    #endBefore(first) {
      if (first === "pathname" && this.#is("/")) this.#change("pathname", 0);
      else if (first !== "hash" && this.#isSearchPrefix()) this.#change("search", 1);
      else if (this.#is("#")) this.#change("hash", 1);
    }

    /** "Change state". */
    #change(state, skip) {
      const from = this.#state;
      const result = this.#result;
      if (from !== INIT && from !== AUTHORITY) result[from] = this.#component();
      if (from !== INIT && state !== DONE) {
        const [old, next] = [RANK[from], RANK[state]];
        if (old < RANK.hostname && next > RANK.hostname) result.hostname ??= "";
        if (old < RANK.pathname && next > RANK.pathname) result.pathname ??= this.#hasSpecialScheme ? "/" : "";
        if (old < RANK.search && next > RANK.search) result.search ??= "";
      }
      this.#state = state;
      this.#index += skip;
      this.#start = this.#index;
      this.#increment = 0;
    }

    #rewind() {
      this.#index = this.#start;
      this.#increment = 0;
    }

    #rewindTo(state) {
      this.#rewind();
      this.#state = state;
    }

    /** "Get a safe token". */
    #token(index) {
      return this.#tokens[index < this.#tokens.length ? index : this.#tokens.length - 1];
    }

    /** "Is a non-special pattern char". */
    #isAt(index, value) {
      const token = this.#token(index);
      if (token.value !== value) return false;
      return token.type === CHAR || token.type === ESCAPED_CHAR || token.type === INVALID_CHAR;
    }

    #is(value) {
      return this.#isAt(this.#index, value);
    }

    /** "Is a search prefix". */
    #isSearchPrefix() {
      if (this.#is("?")) return true;
      if (this.#tokens[this.#index].value !== "?") return false;
      if (this.#index === 0) return true;
      const { type } = this.#token(this.#index - 1);
      return type !== NAME && type !== REGEXP && type !== CLOSE && type !== ASTERISK;
    }

    /** "Make a component string". */
    #component() {
      return StringPrototypeSlice(this.#input, this.#token(this.#start).index, this.#token(this.#index).index);
    }
  }

  nano.urlPattern.parseConstructorString = (input, isSpecial) => new Parser(input, isSpecial).parse();
});
