"""Other runtimes for servers, running the same bundles, a process for each test."""

import http.client
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

from nano import GRACE, free_ports
from outcome import Outcome

BIN = pathlib.Path(__file__).resolve().parent.parent.parent / "bench" / "node_modules" / ".bin"
COMMANDS = {
    "bun": ["bun", "run"],
    "deno": ["deno", "run", "--quiet", "--no-prompt", "--allow-all"],
    "node": ["node", "--expose-gc"],
}
NAMES = (*COMMANDS, "workerd")
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
WORKERD = """using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "test", worker = (
      modules = [(name = "test.mjs", esModule = embed "test.mjs")],
      compatibilityDate = "%s",
      globalOutbound = "net",
    )),
    (name = "net", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:%d", http = (), service = "test")],
);
"""


def peer(name):
    """One of NAMES."""
    program = shutil.which(name, path=f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        sys.exit(f"{name} is neither in bench/node_modules (`npm ci` there) nor in PATH")
    return Workerd(program) if name == "workerd" else Script([program, *COMMANDS[name][1:]])


def version(program):
    words = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout.split()
    return next((word.lstrip("v") for word in words if word.lstrip("v")[:1].isdigit()), "")


class Peer:
    # How its bundles end.
    ending = None

    def __init__(self, program):
        self.program, self.version = program, version(program)

    def run(self, bundle):
        text, seconds = bundle
        with tempfile.TemporaryDirectory(prefix="nano-wpt-") as folder:
            folder = pathlib.Path(folder)
            (folder / "test.mjs").write_bytes(text.encode("utf-8", "surrogateescape"))
            return self.outcome(folder, seconds + GRACE)


class Script(Peer):
    """A runtime of scripts: one that leaves its outcome in a file."""

    ending = ENDING

    def __init__(self, command):
        super().__init__(command[0])
        self.command = command

    def outcome(self, folder, seconds):
        report = folder / "outcome.json"
        try:
            answer = subprocess.run(
                [*self.command, folder / "test.mjs"],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Outcome("TIMEOUT", "it did not end")
        if report.exists():
            return Outcome.from_report(json.loads(report.read_bytes()))
        last_words = answer.stderr.decode(errors="replace").strip()[-400:]
        return Outcome("CRASH", f"it ended with {answer.returncode}: {last_words}")


class Workerd(Peer):
    """A server of an app that answers with its outcome, as nano is."""

    def outcome(self, folder, seconds):
        (port,) = free_ports(1)
        (folder / "config.capnp").write_text(WORKERD % (self.version, port))
        with open(folder / "stderr", "wb") as stderr:
            command = [self.program, "serve", "config.capnp"]
            process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr)
        try:
            status, body = self.ask(process, port, seconds)
        except TimeoutError:
            return Outcome("TIMEOUT", "no answer")
        except (OSError, http.client.HTTPException) as error:
            last_words = (folder / "stderr").read_text(errors="replace").strip()[-400:]
            return Outcome("CRASH", f"no answer: {error!r} {last_words}")
        finally:
            process.kill()
            process.wait()
        if status == 200:
            return Outcome.from_report(json.loads(body))
        return Outcome("CRASH", f"{status}: {body.decode(errors='replace')[-400:]}")

    @staticmethod
    def ask(process, port, seconds):
        """Status and body of the app's answer, once it listens."""
        end = time.monotonic() + seconds
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=max(1, end - time.monotonic()))
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                return answer.status, answer.read()
            except ConnectionRefusedError:
                if process.poll() is not None or time.monotonic() > end:
                    raise
                time.sleep(0.02)
            finally:
                connection.close()
