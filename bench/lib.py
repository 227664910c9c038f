"""What the benchmarks share: servers on a core of their own, what they use, and how figures are shown.

The server runs on the first core of this process's and the load on the second, so that neither steals the other's time.
nano runs as its users would run it: access log to a file, metrics and limits on.
"""

import argparse
import dataclasses
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
APPS = HERE / "apps"
BIN = HERE / "node_modules" / ".bin"
NANO = HERE.parent / "target" / "release" / "nano"
TICK = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]


def arguments(doc, **more):
    """The command line of a benchmark: `--nano`, `--quick`, `--save`, and an integer for each of `more`."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nano", type=pathlib.Path, default=NANO, help="the binary (target/release/nano)")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, for a first look")
    parser.add_argument("--save", type=pathlib.Path, metavar="FOLDER", help="write the tables and charts there too")
    parser.add_argument("servers", nargs="*", metavar="server", help="peers to compare with; all that can run by default")
    for name, default in more.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    if len(CORES) < 2:
        sys.exit("two cores are needed: one for the server, one for the load")
    if not options.nano.exists():
        sys.exit(f"{options.nano} is missing: `make build`")
    return options


# Servers.


@dataclasses.dataclass
class Server:
    """A process that listens on `port`."""

    process: subprocess.Popen
    port: int
    admin: int = 0

    def family(self):
        """The process and its descendants: some of npm's commands start the real binary as a child."""
        found, queue = [], [self.process.pid]
        while queue:
            pid = queue.pop()
            found.append(pid)
            queue += map(int, pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    def cpu(self):
        """Seconds of user and system time of all threads (proc(5): stat, fields 14 and 15)."""
        total = 0
        for pid in self.family():
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def memory(self):
        """Resident bytes."""
        return sum(int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.family()) * PAGE

    def metric(self, name):
        """The sum of a metric's series (nano)."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if re.match(rf"{name}[ {{]", line))


class Running:
    """A command as a server for the time of a `with` block; its folder goes with it."""

    def __init__(self, command, ready, env=None, session=True):
        self.command, self.ready, self.env, self.session = command, ready, env or {}, session

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="nano-bench-")
        server = Server(None, *free_ports(2))
        try:
            command = self.command(server, pathlib.Path(self.folder.name))
            server.process = subprocess.Popen(
                [str(part) for part in command],
                env={**os.environ, "PORT": str(server.port), "NODE_ENV": "production", **self.env},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                preexec_fn=on_core(SERVER_CORE),
                start_new_session=self.session,
            )
            self.server = server
            self.ready(server)
        except BaseException:
            self.__exit__()
            raise
        return server

    def __exit__(self, *_):
        if getattr(self, "server", None):
            for pid in reversed(self.server.family()) if self.server.process.poll() is None else []:
                os.kill(pid, signal.SIGKILL)
            self.server.process.wait()
        self.folder.cleanup()


def nano(options, config, session=True):
    """nano with a config; `config(folder)` gives what belongs into it besides listener, admin address and log.

    Without a `session` of its own, the kernel weighs its threads against those of this script's other children one by
    one; else against all of them together (sched(7), autogroup).
    """

    def command(server, folder):
        text = config(folder)
        (folder / "nano.kdl").write_text(
            f'state-dir "{folder}/state"\nadmin "127.0.0.1:{server.admin}"\nlistener "web" "127.0.0.1:{server.port}" {{ max-connections 20000; }}\n'
            + ("" if "log {" in text else f'log {{ file "{folder}/logs/nano.jsonl" max-size="256MiB" keep=2; }}\n')
            + text
        )
        (folder / "logs").mkdir()
        return [options.nano, "--config", folder / "nano.kdl"]

    return Running(command, until_ready, session=session)


def one_app(app, settings="", log=""):
    """The config of nano for one app of `apps/`."""

    def config(folder):
        (folder / "app").mkdir()
        shutil.copy(APPS / f"{app}.js", folder / "app" / "index.js")
        return f'{log}\napp "app" "app" {{ {settings} }}\n'

    return config


def peer(name, app, node="node.mjs"):
    """Another server with an app of `apps/`; Node has it in what `node` names."""
    module = APPS / f"{app}.js"

    def command(server, folder):
        match name:
            case "deno":
                args = ["--host", "127.0.0.1", "--port", server.port, module]
                return [BIN / "deno", "serve", "--quiet", "--allow-net", *args]
            case "bun":
                return [BIN / "bun", "run", HERE / "bun.mjs"]
            case "node":
                return [BIN / "node", HERE / node]
            case "workerd":
                return [BIN / "workerd", "serve", workerd_config(folder, server.port, module.read_text())]

    return Running(command, lambda server: until_answered(server.port), {"APP": str(module)})


def workerd_config(folder, port, source):
    """workerd's config for one worker on one port."""
    (folder / "worker.js").write_text(source)
    config = folder / "workerd.capnp"
    config.write_text(f"""
        using Workerd = import "/workerd/workerd.capnp";
        const config :Workerd.Config = (
          services = [(name = "main", worker = (
            modules = [(name = "worker.js", esModule = embed "worker.js")], compatibilityDate = "2026-11-01"))],
          sockets = [(name = "http", address = "127.0.0.1:{port}", http = (), service = "main")]
        );
    """)
    return config


def peers(options, names):
    """Those of `names` that were asked for and can run here, with their versions; says why another cannot."""
    if not BIN.exists() and shutil.which("npm"):
        subprocess.run(["npm", "ci", "--no-fund", "--no-audit"], cwd=HERE, check=False, stdout=sys.stderr)
    found = {}
    for name in names:
        if options.servers and name not in options.servers:
            continue
        try:
            text = subprocess.run([BIN / name, "--version"], capture_output=True, text=True, check=True).stdout
            found[name] = re.search(r"\d[\w.-]*", text)[0]
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"{name} is left out: {error} (npm ci, in bench/)", file=sys.stderr)
    return found


def free_ports(count):
    """So many ports that nobody listens on, all different."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def on_core(core):
    return lambda: os.sched_setaffinity(0, {core})


def until_answered(port):
    """Waits until a server answers, whatever it says."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5):
                return
        except urllib.error.HTTPError:
            return  # It answers, if not to its liking.
        except OSError:
            time.sleep(0.01)
    raise RuntimeError("it does not answer")


def until_ready(server):
    """Waits until nano says that it is ready, by its admin interface."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.admin}/readyz", timeout=5):
                return
        except OSError:
            if server.process.poll() is not None:
                raise RuntimeError(f"nano ended with {server.process.returncode}") from None
            time.sleep(0.002)
    raise RuntimeError("nano is not ready")


def request(host, path="/", method="GET", headers="", body=b""):
    """The bytes of an HTTP/1.1 request."""
    length = f"content-length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nhost: {host}\r\n{headers}{length}\r\n".encode() + body


def ask(connection, bytes_):
    """Sends a small request and reads its small answer, of known length; the status."""
    connection.sendall(bytes_)
    answer = b""
    while True:
        head, found, body = answer.partition(b"\r\n\r\n")
        if found:
            length = re.search(rb"content-length: (\d+)", head)
            if len(body) >= (int(length[1]) if length else 0):
                return int(head[9:12])
        data = connection.recv(65536)
        if not data:
            raise ConnectionError("the connection ended")
        answer += data


# Figures.


def median(values):
    return statistics.median(values)


def quantile(values, share):
    """The smallest of `values` that `share` of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


@dataclasses.dataclass
class Table:
    """Rows of text cells, and one number of each row for the chart."""

    name: str
    title: str
    columns: list
    chart: str = ""
    rows: list = dataclasses.field(default_factory=list)
    bars: list = dataclasses.field(default_factory=list)

    def add(self, *cells, bar=None):
        self.rows.append([str(cell) for cell in cells])
        if bar is not None:
            self.bars.append((str(cells[0]), bar))

    def markdown(self):
        lines = [f"**{self.title}**", "", "| " + " | ".join(self.columns) + " |"]
        lines.append("|---" + "|--:" * (len(self.columns) - 1) + "|")
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join(lines) + "\n"

    def svg(self):
        """Horizontal bars, legible on light and dark pages."""
        longest = max(value for _, value in self.bars) or 1
        height = 40 + 26 * len(self.bars)
        out = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{height}" font-family="sans-serif" font-size="13">',
            "<style>text{fill:#57606a}.t{font-weight:bold}rect{fill:#8c959f}.nano{fill:#2da44e}"
            "@media(prefers-color-scheme:dark){text{fill:#9198a1}}</style>",
            f'<text class="t" x="8" y="20">{self.chart}</text>',
        ]
        for at, (name, value) in enumerate(self.bars):
            y = 34 + 26 * at
            kind = ' class="nano"' if name.startswith("nano") else ""
            out.append(f'<text x="158" y="{y + 15}" text-anchor="end">{name}</text>')
            out.append(f'<rect{kind} x="166" y="{y}" width="{max(2, 380 * value / longest):.0f}" height="20" rx="2"/>')
            out.append(f'<text x="{174 + 380 * value / longest:.0f}" y="{y + 15}">{value:,.4g}</text>')
        return "\n".join(out) + "\n</svg>\n"


def show(options, doc, *tables):
    """Prints tables; with `--save` writes them, below what they measure and how, and their charts."""
    text = "\n".join(table.markdown() for table in tables)
    print(text)
    if options.save:
        options.save.mkdir(parents=True, exist_ok=True)
        name = tables[0].name
        links = "".join(f"![{table.chart}]({table.name}.svg)\n" for table in tables if table.bars)
        (options.save / f"{name}.md").write_text(f"# {name}\n\n{doc.strip()}\n\n{text}\n{links}")
        for table in tables:
            if table.bars:
                (options.save / f"{table.name}.svg").write_text(table.svg())
