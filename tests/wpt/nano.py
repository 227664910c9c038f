"""nano as a host of tests: an app each, an isolate each, one process for all of them."""

import http.client
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

from outcome import Outcome

# Beyond a test's own time: for the harness to end, and for machines that are busy.
GRACE = 20


class Nano:
    """One process that serves `bundles`, `{app: (text of the module, seconds)}`, for the time of a `with` block."""

    def __init__(self, binary, bundles):
        self.binary, self.bundles = binary, bundles

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="nano-wpt-"))
        self.port, self.admin = free_ports(2)
        (self.folder / "nano.kdl").write_text(self.config())
        for app, (text, _) in self.bundles.items():
            (self.folder / app).mkdir()
            (self.folder / app / "index.js").write_bytes(text.encode("utf-8", "surrogateescape"))
        with open(self.folder / "stderr", "wb") as stderr:
            command = [self.binary, "--config", self.folder / "nano.kdl"]
            self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr, stdin=subprocess.DEVNULL)
        try:
            self.wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def config(self):
        lines = [
            'state-dir "state"',
            f'admin "127.0.0.1:{self.admin}"',
            f'listener "web" "127.0.0.1:{self.port}"',
            'drain "1s"',
            'log { level "warn"; access #false; file "log.jsonl" max-size="1GiB"; }',
            "defaults {",
            '    limits memory="512MiB" startup="60s" body="64MiB" isolates=1 concurrency=1',
            '    idle "1s"',
            "    replay #false",
            '    fetch { allow "127.0.0.0/8" "[::1]"; }',
            "}",
        ]
        for app, (_, seconds) in self.bundles.items():
            time_limit = f"{seconds + GRACE / 2:.0f}s"
            lines.append(f'app "{app}" "{app}" {{ host "{app}.test"; limits cpu="{time_limit}" wall="{time_limit}"; }}')
        return "\n".join(lines) + "\n"

    def wait_until_ready(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.binary} ended with {self.process.returncode}: {self.last_words()}")
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=5)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.01)
        raise RuntimeError(f"{self.binary} is not ready after a minute: {self.last_words()}")

    def last_words(self):
        return (self.folder / "stderr").read_text(errors="replace").strip()[-1000:] or "it said nothing"

    def died(self):
        """Whether the process has ended, or is about to: connections break first."""
        try:
            self.process.wait(timeout=2)
            return True
        except subprocess.TimeoutExpired:
            return False

    def run(self, app):
        """Asks an app for the outcome of its test."""
        _, seconds = self.bundles[app]
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds + GRACE)
        try:
            connection.request("GET", "/", headers={"host": f"{app}.test"})
            answer = connection.getresponse()
            body = answer.read()
        except TimeoutError:
            return Outcome("TIMEOUT", "no answer")
        except (OSError, http.client.HTTPException) as error:
            refused = isinstance(error, ConnectionRefusedError)
            return Outcome("CRASH", f"no answer: {error!r} {self.last_words()}", unanswered=True, refused=refused)
        finally:
            connection.close()
        if answer.status == 200:
            return Outcome.from_report(json.loads(body))
        error = json.loads(body)["error"]
        status = "TIMEOUT" if error["code"] in ("timeout", "cpu_limit") else "CRASH"
        return Outcome(status, f"{error['code']}: {self.log_of(app, error['request_id'])}")

    def log_of(self, app, request):
        """What the log says of a request, or else of its app; lines may come a moment after the answer."""
        for attempt in range(20):
            lines = [json.loads(line) for line in (self.folder / "log.jsonl").read_bytes().splitlines()]
            found = [line for line in lines if line.get("request_id") == request]
            if attempt > 5:
                found = found or [line for line in lines if line.get("app") == app]
            if found:
                fields = ("message", "error", "stack")
                return " ".join(str(line[field]) for line in found for field in fields if line.get(field))[:600]
            time.sleep(0.05)
        return "nothing in the log"


def free_ports(count):
    """So many ports that nobody listens on, all different."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
