"""What there is to run: test files, their META lines, their variants."""

import dataclasses
import re

# A row of the table each, and what is run. A file belongs to the longest that it is in.
DIRECTORIES = (
    "FileAPI",
    "WebCryptoAPI",
    "compression",
    "console",
    "dom/abort",
    "dom/events",
    "encoding",
    "fetch/api/abort",
    "fetch/api/basic",
    "fetch/api/body",
    "fetch/api/headers",
    "fetch/api/idlharness.any.js",
    "fetch/api/redirect",
    "fetch/api/request",
    "fetch/api/response",
    "fetch/content-encoding",
    "hr-time",
    "html/webappapis/atob",
    "html/webappapis/microtask-queuing",
    "html/webappapis/structured-clone",
    "html/webappapis/timers",
    "performance-timeline",
    "streams",
    "url",
    "urlpattern",
    "user-timing",
    "wasm/jsapi",
    "wasm/webapi",
    "webidl",
    "webmessaging",
    "xhr/formdata",
)
# Not part of the total: much of it is not there on purpose yet.
APART = ("WebCryptoAPI",)

META = re.compile(r"//\s*META:\s*(\w+)=(.*?)\s*$")
TEST = re.compile(r"\.(?:any|window|worker)\.js$")
# In which of these scopes a server's global scope may stand.
SCOPES = {"window", "dedicatedworker", "worker", "jsshell", "shadowrealm", "!default"}
SECONDS = {"normal": 10, "long": 60}


@dataclasses.dataclass
class Test:
    """One test as it is run: a file with one of its variants."""

    path: str  # url/a.any.js
    variant: str  # "", "?1-10"
    directory: str
    source: str
    scripts: list  # URL paths of META: script
    seconds: int
    needs: str | None  # why it cannot run anywhere but in a browser

    @property
    def name(self):
        return self.path + self.variant

    @property
    def page(self):
        """The URL path under which wptserve would serve it."""
        return "/" + TEST.sub(".any.html", self.path)


def collect(checkouts, wanted):
    """The tests in `wanted`, paths of files or folders or names with a variant; all of DIRECTORIES where it is empty."""
    tests = []
    for directory in DIRECTORIES:
        root = checkouts.home(directory)
        if root is None:
            continue
        place = root / directory
        for file in sorted([place] if place.is_file() else place.rglob("*.js")):
            path = file.relative_to(root).as_posix()
            if TEST.search(path) and directory == home(path):
                tests += variants(file, path, directory)
    return [test for test in tests if not wanted or any(is_in(test, name) for name in wanted)]


def home(path):
    """The directory of DIRECTORIES that a test belongs to."""
    return max((name for name in DIRECTORIES if f"{path}/".startswith(f"{name}/")), key=len)


def is_in(test, name):
    name = name.rstrip("/")
    return test.name == name or test.path == name or test.path.startswith(f"{name}/")


def variants(file, path, directory):
    source = file.read_bytes().decode("utf-8", "surrogateescape")
    scripts, found, seconds, scopes = [], [], SECONDS["normal"], None
    for line in source.splitlines():
        meta = META.match(line)
        if meta and meta[1] == "script":
            scripts.append(meta[2])
        elif meta and meta[1] == "variant":
            found.append(meta[2])
        elif meta and meta[1] == "timeout":
            seconds = SECONDS.get(meta[2], seconds)
        elif meta and meta[1] == "global":
            scopes = {scope.strip() for scope in meta[2].split(",")}
        elif line.strip() and not line.startswith("//"):
            break
    needs = None
    if path.endswith(".worker.js"):
        needs = "a worker, whose script it is"
    elif scopes and not scopes & SCOPES:
        needs = f"the global scope of a {' or '.join(sorted(scopes))}"
    elif scopes == {"shadowrealm"}:
        needs = "a ShadowRealm"
    return [Test(path, variant, directory, source, scripts, seconds, needs) for variant in found or [""]]
