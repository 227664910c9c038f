"""What tests written as sloppy code do that strict code may not, said in strict code.

Kept to what tests need: names that come to be by assignment, `arguments` as a name like others, and, where a test tries
whether properties are read-only, assignments that do nothing.
"""

import json
import re

# A name at the beginning of a statement, or of a loop, that gets a value.
ASSIGNED = re.compile(r"(?:^|[;{}])\s*(?:for\s*\(\s*)?([A-Za-z_$][\w$]*)\s*(?:=(?![=>])|\b(?:of|in)\b)", re.MULTILINE)
DECLARED = re.compile(r"\b(?:var|let|const|class|function\s*\*?)\s+([A-Za-z_$][\w$]*)")
NAMED_ARGUMENTS = re.compile(r"\b(?:const|let|var)\s+arguments\b|\.\.\.arguments\)\s*=>")
ARGUMENTS = re.compile(r"((?:\b(?:const|let|var|return|of|in)\s+|[\[(,.=:]\s*|^\s*))arguments\b", re.MULTILINE)
# `a.b = c;` and `a[b] = c;` on a line of their own.
ASSIGNMENT = re.compile(r"(\s*)([\w$.]+)(?:\.([\w$]+)|\[([\w$\".]+)\])\s*=\s*([^=;,][^;,]*|\([^;]*\));")
TRIES_READ_ONLY = {
    "/fetch/api/request/request-structure.any.js",
    "/wasm/jsapi/instance/exports.any.js",
    "/wasm/jsapi/memory/buffer.any.js",
    "/wasm/jsapi/table/length.any.js",
}


def implicit(source):
    """Names that assignments may make global properties; some are variables of functions, which does no harm."""
    return sorted(set(ASSIGNED.findall(source)) - set(DECLARED.findall(source)) - {"arguments", "this", "else", "return"})


def strict(path, source):
    if NAMED_ARGUMENTS.search(source):
        source = ARGUMENTS.sub(r"\1$arguments", source)
    if path in TRIES_READ_ONLY:
        lines = source.split("\n")
        for at, line in enumerate(lines):
            if (match := ASSIGNMENT.fullmatch(line)) and "use strict" not in lines[at - 1]:
                space, target, name, key, value = match.groups()
                lines[at] = f"{space}Reflect.set({target}, {json.dumps(name) if name else key}, {value});"
        source = "\n".join(lines)
    return source
