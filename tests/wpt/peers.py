"""Other runtimes for servers, running the same bundles: a process for each test, which leaves its outcome in a file."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from nano import GRACE
from outcome import Outcome

BIN = pathlib.Path(__file__).resolve().parent.parent.parent / "bench" / "node_modules" / ".bin"
COMMANDS = {
    "bun": ["bun", "run"],
    "deno": ["deno", "run", "--quiet", "--no-prompt", "--allow-all"],
    "node": ["node", "--expose-gc"],
}
NAMES = tuple(COMMANDS)
# An error nobody catches is to be told as one, where the runtime has no event for it on its global scope. Bun takes a
# module that names `exports` for CommonJS if they are not its own.
ENDING = """
import { writeFileSync as $write } from "node:fs";
import $process from "node:process";
let exports, module;
$process.on("uncaughtException", (error) => $wpt.fail(error));
$wpt.run().then((outcome) => {
  $write("outcome.json", $wpt.stringify(outcome));
  $process.exit(0);
});
"""


class Peer:
    """One of NAMES."""

    ending = ENDING

    def __init__(self, name):
        program = shutil.which(name, path=f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}")
        if program is None:
            sys.exit(f"{name} is neither in bench/node_modules (`npm ci` there) nor in PATH")
        self.command = [program, *COMMANDS[name][1:]]

    def run(self, bundle):
        text, seconds = bundle
        with tempfile.TemporaryDirectory(prefix="nano-wpt-") as folder:
            file, report = (pathlib.Path(folder) / name for name in ("test.mjs", "outcome.json"))
            file.write_bytes(text.encode("utf-8", "surrogateescape"))
            try:
                answer = subprocess.run(
                    [*self.command, file],
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    timeout=seconds + GRACE,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return Outcome("TIMEOUT", "it did not end")
            if report.exists():
                return Outcome.from_report(json.loads(report.read_bytes()))
            last_words = answer.stderr.decode(errors="replace").strip()[-400:]
            return Outcome("CRASH", f"it ended with {answer.returncode}: {last_words}")
