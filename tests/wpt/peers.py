"""Other runtimes for servers, running the same bundles: a process for each test, its outcome on standard output."""

import json
import pathlib
import subprocess
import tempfile

from nano import GRACE
from outcome import Outcome

BIN = pathlib.Path(__file__).resolve().parent.parent.parent / "bench" / "node_modules" / ".bin"
COMMANDS = {
    "bun": ["bun", "run"],
    "deno": ["deno", "run", "--quiet", "--no-prompt", "--allow-net", "--allow-env"],
    "node": ["node", "--expose-gc"],
}
NAMES = tuple(COMMANDS)
MARK = "\n=== outcome ===\n"
# An error nobody catches is to be told as one, where the runtime has no event for it on its global scope.
ENDING = f"""
const exit = globalThis.process?.exit ?? globalThis.Deno?.exit;
const print = console.log;
globalThis.process?.on?.("uncaughtException", (error) => $wpt.fail(error));
$wpt.run().then((outcome) => {{
  print({json.dumps(MARK)} + $wpt.stringify(outcome));
  exit(0);
}});
"""


class Peer:
    """One of NAMES."""

    ending = ENDING

    def __init__(self, name):
        self.command = COMMANDS[name]

    def run(self, bundle):
        text, seconds = bundle
        with tempfile.TemporaryDirectory(prefix="nano-wpt-") as folder:
            file = pathlib.Path(folder) / "test.mjs"
            file.write_bytes(text.encode("utf-8", "surrogateescape"))
            command = [BIN / self.command[0], *self.command[1:], file]
            try:
                answer = subprocess.run(
                    command, capture_output=True, text=True, errors="replace", cwd=folder, timeout=seconds + GRACE, check=False
                )
            except subprocess.TimeoutExpired:
                return Outcome("TIMEOUT", "it did not end")
        _, found, report = answer.stdout.rpartition(MARK)
        if not found:
            return Outcome("CRASH", f"it ended with {answer.returncode}: {answer.stderr.strip()[-400:]}")
        return Outcome.from_report(json.loads(report.splitlines()[0]))
