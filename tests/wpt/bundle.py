"""One test as one module: prelude, harness, META scripts and the test, each in a function of its own.

A runtime for servers runs modules, and some have no other kind of script; WPT's are classic scripts, which share their
top-level declarations. So each script is a function, called one after another with the global object as `this`, and
what it declares becomes a property of the global object. All code of a module is strict: sloppy.py sees to that.
"""

import ast
import functools
import json
import pathlib
import posixpath
import re

from scan import declarations
from sloppy import implicit, strict

PRELUDE = (pathlib.Path(__file__).parent / "prelude.js").read_text()
HARNESS = "/resources/testharness.js"
# wptserve serves it from there.
ALIASES = {"/resources/WebIDLParser.js": "/resources/webidl2/lib/webidl2.js"}
# What takes a URL that may be relative; `fetch` in idlharness.js is the runner's own.
TAKES_URL = re.compile(r"\bfetch\s*\(|\bnew Request\b|\bRequest\s*\(|\bResponse\.redirect\b|\bstaticRedirect\b")

# idlharness.js makes code from strings, and knows browsers alone: a server has what windows and workers both have.
IDLHARNESS = (
    ("eval(desc)", "$wpt.evaluate(desc)"),
    (
        "function exposed_in(globals) {",
        'function exposed_in(globals) { return globals === "*" || (globals.has("Window") && globals.has("DedicatedWorker"));',
    ),
)

# How a bundle ends: an app whose answer is the outcome.
HANDLER = """
export default { fetch: $wpt.respond };
"""


class MissingScript(Exception):
    """A script that a test names and no checkout has."""


class Bundler:
    """Makes bundles of tests; `substitute(text)` does what wptserve does to `.sub.` files."""

    def __init__(self, checkouts, origin, substitute):
        self.checkouts, self.origin, self.substitute = checkouts, origin, substitute

    def bundle(self, test, ending=None):
        """The text of the module."""
        parts = [(HARNESS, self.script(HARNESS))]
        for name in test.scripts:
            path = posixpath.normpath(posixpath.join("/" + posixpath.dirname(test.path), name.split("?")[0]))
            path = ALIASES.get(path, path)
            parts.append((path, self.script(path)))
        source = self.substitute(test.source) if ".sub." in test.path else test.source
        parts.append(("/" + test.path, wrap("/" + test.path, source)))
        takes_url = TAKES_URL
        if "idlharness" in test.path:  # It is to see the platform's own objects, if that is possible.
            takes_url = re.compile(r"\bfetch\(")
            parts.append(("", expressions(source)))
        relative = any(takes_url.search(text) for path, text in parts if not path.startswith("/resources/"))
        page = {
            "url": self.origin + test.page + test.variant,
            "milliseconds": 1000 * test.seconds,
            "relative": relative,
        }
        return "".join([PRELUDE.replace("PAGE", json.dumps(page)), *(text for _, text in parts), ending or HANDLER])

    @functools.cache
    def script(self, path):
        file = self.checkouts.file(path)
        if file is None:
            raise MissingScript(f"no checkout has {path}")
        source = file.read_bytes().decode("utf-8", "surrogateescape")
        if path == "/resources/idlharness.js":
            for before, after in IDLHARNESS:
                source = source.replace(before, after)
        return wrap(path, self.substitute(source) if ".sub." in path else source)


def wrap(path, source):
    """A classic script as an entry of `$wpt.scripts`."""
    exposed = " ".join(
        f"$wpt.declare({json.dumps(name)}, () => {name}, "
        + ("undefined" if kind == "const" else f"($value) => {{ {name} = $value; }}")
        + f", {json.dumps(kind == 'var')});"
        for name, kind in declarations(source).items()
    )
    if path != HARNESS and (names := implicit(source)):
        exposed += f" $wpt.imply({json.dumps(names)});"
    body = f"{exposed}\n{strict(path, source)}\n"
    return f"\n$wpt.scripts.push([{json.dumps(path)}, function () {{ {body}}}]);\n"


def expressions(source):
    """What a test of idlharness.js names by its code, `add_objects({ URL: ['new URL("a:b")'] })`, as functions."""
    found = set()
    for objects in re.findall(r"add_objects\(\{(.*?)\}\);", source, re.DOTALL):
        for literals in re.findall(r"\[(.*?)\](?=,?\s*(?:\w+:|//|$))", objects, re.DOTALL):
            found.update(ast.literal_eval(text) for text in re.findall(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", literals))
    return "".join(f"$wpt.expressions[{json.dumps(code)}] = () => ({code});\n" for code in sorted(found))
