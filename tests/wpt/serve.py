"""What wptserve is to WPT's fetch tests: files with their `.headers`, `.sub.` files, pipes, and handlers in Python.

`serve.py` serves WPT_DIR until its standard input ends, and prints its ports as JSON. It listens on the loopback
address alone and speaks HTTP/1.1 without TLS: the ports called https are those of servers where a handshake fails.
"""

import email.utils
import functools
import http
import http.server
import json
import posixpath
import re
import socketserver
import sys
import threading
import traceback
import types
import urllib.parse

import handler
import pipe
from checkout import Checkouts
from handler import Request, Response, Stash, encoded

TYPES = {
    "css": "text/css", "event_stream": "text/event-stream", "gif": "image/gif", "htm": "text/html", "html": "text/html",
    "jpg": "image/jpeg", "js": "text/javascript", "json": "application/json", "mjs": "text/javascript",
    "mp3": "audio/mpeg", "mp4": "video/mp4", "png": "image/png", "svg": "image/svg+xml", "txt": "text/plain",
    "vtt": "text/vtt", "wasm": "application/wasm", "webm": "video/webm", "xhtml": "application/xhtml+xml",
    "xml": "application/xml",
}  # fmt: skip
# Fetch refuses to connect to these.
BAD_PORTS = {2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080}


class Server(socketserver.ThreadingTCPServer):
    """One port."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, checkouts, ports, stash):
        super().__init__(("127.0.0.1", 0), Connection)
        self.checkouts, self.ports, self.stash = checkouts, ports, stash

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # A client that leaves is nothing to tell of.
            traceback.print_exc()


class Connection(http.server.BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __getattr__(self, name):
        if name.startswith("do_"):  # Tests use methods that have no name yet.
            return self.answer
        raise AttributeError(name)

    def log_message(self, *_):
        pass

    def answer(self):
        host = self.headers.get("host", "localhost")
        pairs = [(encoded(name), encoded(value)) for name, value in self.headers.items()]
        self.unread = True
        place = types.SimpleNamespace(ports=self.server.ports, stash=None, config=None)
        url = f"http://{host}{self.path}" if self.path.startswith("/") else self.path
        request = Request(self.command, url, self.request_version, pairs, self.read_body, place, self.client_address)
        place.stash = self.server.stash.at(request.url_parts.path)
        response = Response(request, Writer(self))
        try:
            self.route(request, response)
        except Exception:
            if response.writer.started:
                self.close_connection = True
                raise
            traceback.print_exc()
            response.set_error(500, traceback.format_exc())
            response.write()
        if self.unread:
            request.body  # The next request begins behind it.
        if response.close_connection:
            self.close_connection = True

    def route(self, request, response):
        path = http_path(request.url_parts.path)
        file = self.server.checkouts.file(path)
        if file is None:
            response.set_error(404)
        elif file.suffix == ".py":
            response.take(main_of(file)(request, response))
        elif file.suffix == ".asis":
            response.writer.write(file.read_bytes())
            response.close_connection = True
        else:
            response.headers.update(headers_of(file, self.server.ports, request))
            self.send_file(file, request, response)
        if response.writer.started:
            return
        pipes = (["sub"] if ".sub." in path else []) + [value.decode() for value in request.GET.get_list("pipe")]
        if pipes:
            if isinstance(response.content, str):
                response.content = response.content.encode()
            pipe.apply("|".join(pipes), request, response)
        response.write()

    def send_file(self, file, request, response):
        content = file.read_bytes()
        wanted = re.fullmatch(rb"bytes=(\d*)-(\d*)", request.headers.get("range", b""))
        if wanted and wanted[0] != b"bytes=-":
            first, last = wanted.groups()
            start = int(first) if first else max(0, len(content) - int(last))
            end = min(int(last), len(content) - 1) if first and last else len(content) - 1
            if start > end:
                return response.set_error(416)
            response.status = 206
            response.headers.set("Content-Range", f"bytes {start}-{end}/{len(content)}")
            content = content[start : end + 1]
        response.content = content

    def read_body(self):
        self.unread = False
        if "chunked" in self.headers.get("transfer-encoding", ""):
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return body
        return self.rfile.read(int(self.headers.get("content-length", 0)))


class Writer:
    """The bytes of an answer; each method says whether the client still takes them."""

    def __init__(self, connection):
        self.connection = connection
        self.started = self.headed = False
        self.names = set()

    def write(self, data):
        self.started = True
        try:
            self.connection.wfile.write(data if isinstance(data, bytes) else str(data).encode())
            return True
        except OSError:
            self.response.close_connection = True
            return False

    write_raw_content = write

    def write_status(self, code, message=None):
        if message is None:
            message = http.HTTPStatus(code).phrase if code in set(http.HTTPStatus) else ""
        return self.write(b"HTTP/1.1 %d %s\r\n" % (code, encoded(message)))

    def write_header(self, name, value):
        if not self.started:
            self.write_status(200)
        self.names.add(encoded(name).lower())
        return self.write(b"%s: %s\r\n" % (encoded(name), encoded(value)))

    def end_headers(self):
        response = self.response
        content = response.content.encode() if isinstance(response.content, str) else response.content
        if response.add_required_headers:
            if b"server" not in self.names:
                self.write_header("Server", "wpt")
            if b"date" not in self.names:
                self.write_header("Date", email.utils.formatdate(usegmt=True))
            if isinstance(content, bytes) and b"content-length" not in self.names:
                self.write_header("Content-Length", len(content))
        if b"content-length" not in self.names:
            response.close_connection = True
        if response.close_connection and response.add_required_headers:
            self.write_header("Connection", "close")
        self.headed = True
        return self.write(b"\r\n")

    def write_content(self, data):
        if not self.headed:
            self.response.content = data
            if not self.started:
                self.write_status(*self.response.status)
            self.end_headers()
        return self.write(data)

    write_data = write_content

    def flush(self):
        pass


def http_path(path):
    """The path of the file: tests ask for paths with escapes and dots."""
    return posixpath.normpath("/" + urllib.parse.unquote(path).lstrip("/"))


@functools.cache
def main_of(file):
    content = {"__file__": str(file), "__name__": file.stem}
    exec(compile(file.read_bytes(), str(file), "exec"), content)
    return content["main"]


def headers_of(file, ports, request):
    """A file's type, and what `__dir__.headers` and `NAME.headers` say."""
    found = [("Content-Type", TYPES.get(file.suffix[1:], "text/plain" if file.suffix == ".txt" else "application/octet-stream"))]
    for path in (file.parent / "__dir__", file):
        for suffix in (".sub.headers", ".headers"):
            extra = path.with_name(path.name + suffix)
            if extra.is_file():
                text = extra.read_bytes().decode("latin-1")
                if suffix == ".sub.headers":
                    text = pipe.Substitution(ports, request)(text)
                found += [tuple(part.strip() for part in line.split(":", 1)) for line in text.splitlines() if ":" in line]
                break
    return found


def start(checkouts):
    """Starts servers on free ports, and returns these."""
    handler.install()
    ports, stash = {}, Stash()
    for scheme, count in (("http", 2), ("https", 2), ("ws", 1), ("wss", 1)):
        ports[scheme] = []
        while len(ports[scheme]) < count:
            server = Server(checkouts, ports, stash)
            if server.server_address[1] in BAD_PORTS:
                server.server_close()
                continue
            ports[scheme].append(server.server_address[1])
            threading.Thread(target=server.serve_forever, daemon=True).start()
    return ports


if __name__ == "__main__":
    checkouts = Checkouts.from_environment()
    if checkouts is None:
        sys.exit("WPT_DIR is not set")
    sys.path += map(str, checkouts.roots)  # Some handlers import others.
    print(json.dumps(start(checkouts)), flush=True)
    sys.stdin.read()
