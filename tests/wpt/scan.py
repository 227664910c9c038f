"""The names a classic script declares at its top level, which other scripts of the page may use.

A bundle is a module, and a module keeps its names to itself; so each script of a bundle hands out those it declares.
This reads just enough JavaScript for that: brackets, strings, templates, comments, regular expressions.
"""

import re

TOKEN = re.compile(
    r"""(?P<space>[ \t\f\v\xa0\ufeff]+)
      | (?P<line>[\n\r\u2028\u2029])
      | (?P<comment>//[^\n\r\u2028\u2029]*|/\*.*?\*/)
      | (?P<name>\#?(?:[^\W\d]|[$]|\\u)(?:\w|[$]|\\u)*)
      | (?P<number>\.?\d(?:[eE][+-]|[\w.])*)
      | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<punctuator>=>|\.\.\.|\+\+|--|.)""",
    re.VERBOSE | re.DOTALL,
)
REGEX = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/\w*")
TEMPLATE = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*(`|\$\{)", re.DOTALL)

# A slash after one of these begins a regular expression, and so it does after a punctuator that does not end a value.
BEFORE_VALUE = {"return", "typeof", "case", "in", "of", "new", "delete", "void", "throw", "instanceof", "do", "else", "await", "yield"}
ENDS_VALUE = {")", "]", "}", "++", "--"}


def tokens(source):
    """`(text, depth, fresh)` of each token but comments: how many brackets it is in, and whether it begins a line."""
    at, fresh, before = 0, True, None
    stack = []
    while at < len(source):
        if before is None or before in BEFORE_VALUE or (not before[-1].isalnum() and before[-1] not in "_$'\"`" and before not in ENDS_VALUE):
            match = source[at] == "/" and source[at + 1 : at + 2] not in ("/", "*") and REGEX.match(source, at)
            if match:
                yield "/regex/", len(stack), fresh
                at, fresh, before = match.end(), False, "x"
                continue
        match = TOKEN.match(source, at)
        kind, text, at = match.lastgroup, match[0], match.end()
        if kind == "space":
            continue
        if kind in ("line", "comment"):
            fresh = fresh or kind == "line" or "\n" in text
            continue
        if text == "`" or (text == "}" and stack and stack[-1] == "${"):
            if text == "}":
                stack.pop()
            match = TEMPLATE.match(source, at)
            if not match:
                return
            at = match.end()
            if match[1] == "`":
                yield "`", len(stack), fresh
                fresh, before = False, "`"
            else:
                stack.append("${")
                fresh, before = False, "("
            continue
        if text in ("{", "(", "["):
            yield text, len(stack), fresh
            stack.append(text)
        else:
            if text in ("}", ")", "]") and stack:
                stack.pop()
            yield text, len(stack), fresh
        fresh, before = False, text


def declarations(source):
    """`{name: kind}`: what a script declares outside of all brackets; the kind is var, function, class, let or const."""
    all_tokens = list(tokens(source))
    found = {}
    for at, (text, depth, fresh) in enumerate(all_tokens):
        if depth or not begins_statement(all_tokens, at):
            continue
        follows = [token[0] for token in all_tokens[at + 1 : at + 4]]
        if text == "async" and follows[:1] == ["function"]:
            follows = follows[1:]
            text = "function"
        if text == "function":
            name = follows[1] if follows[:1] == ["*"] else follows[0]
            found[name] = "function"
        elif text == "class":
            found[follows[0]] = "class"
        elif text in ("var", "let", "const"):
            for name in declarators(all_tokens, at + 1):
                found.setdefault(name, text)
    return {name: kind for name, kind in found.items() if re.fullmatch(r"(?:[^\W\d]|\$)[\w$]*", name)}


def begins_statement(all_tokens, at):
    before = all_tokens[at - 1][0] if at else ";"
    return before in (";", "}") or (all_tokens[at][2] and (before[-1].isalnum() or before[-1] in "_$'\"`)]/"))


def declarators(all_tokens, at):
    """The names that one `var`, `let` or `const` declares, from the token after it."""
    wanted = True
    while at < len(all_tokens):
        text, depth, fresh = all_tokens[at]
        if depth == 0 and wanted:
            wanted = False
            if text in ("{", "["):
                end = next((end for end in range(at + 1, len(all_tokens)) if all_tokens[end][1] == 0), len(all_tokens))
                yield from pattern(all_tokens[at + 1 : end])
                at = end
            else:
                yield text
        elif depth == 0 and text == ",":
            wanted = True
        elif depth == 0 and (text == ";" or (fresh and begins_statement(all_tokens, at) and text[0].isalpha() and text not in ("in", "instanceof"))):
            return
        at += 1


def pattern(inner):
    """The names of a destructuring pattern, without its brackets; defaults are not looked into."""
    default = None
    for at, (text, depth, _) in enumerate(inner):
        if default is not None:
            if depth > default or (depth == default and text not in (",", "}", "]")):
                continue
            default = None
        if text == "=":
            default = depth
        elif re.match(r"(?:[^\W\d]|\$)", text) and (at + 1 == len(inner) or inner[at + 1][0] != ":"):
            yield text
