"""What WPT's handlers in Python are given: `main(request, response)`, as wptserve's documentation describes it.

Names and values on the wire are bytes; a method that takes one takes text as well.
"""

import base64
import json
import sys
import threading
import types
import urllib.parse


def encoded(value):
    """As bytes, a character each (what WPT calls isomorphic)."""
    return value if isinstance(value, bytes) else str(value).encode("latin-1")


def decoded(value):
    return value.decode("latin-1") if isinstance(value, bytes) else value


class MultiDict(dict):
    """Names to lists of values; indexing gives the first."""

    def __getitem__(self, name):
        return self.first(name)

    def first(self, name, *default):
        values = self.get_list(name)
        if values:
            return values[0]
        if default:
            return default[0]
        raise KeyError(name)

    def get(self, name, default=None):
        return self.first(name, default)

    def get_list(self, name):
        return dict.get(self, encoded(name), [])

    def __contains__(self, name):
        return dict.__contains__(self, encoded(name))


class RequestHeaders(dict):
    """Lower-case names to all their values, joined as Fetch joins them."""

    def __init__(self, pairs):
        super().__init__()
        for name, value in pairs:
            key = name.lower()
            dict.__setitem__(self, key, dict.get(self, key, []) + [value])

    def __getitem__(self, name):
        return b", ".join(dict.__getitem__(self, encoded(name).lower()))

    def get(self, name, default=None):
        return self[name] if name in self else default

    def get_list(self, name, default=None):
        return dict.get(self, encoded(name).lower(), [] if default is None else default)

    def __contains__(self, name):
        return dict.__contains__(self, encoded(name).lower())

    def items(self):
        return [(name, self[name]) for name in self]


class Authentication:
    """Basic credentials, or None twice."""

    def __init__(self, headers):
        self.username = self.password = None
        kind, _, value = headers.get("authorization", b"").partition(b" ")
        if kind.lower() == b"basic":
            self.username, _, self.password = base64.b64decode(value).partition(b":")


class Request:
    """A request whose body is read when it is asked for."""

    def __init__(self, method, url, version, pairs, read, server, client):
        self.method, self.protocol_version, self.server, self.client_address = method, version, server, client
        self.raw_headers, self.headers = pairs, RequestHeaders(pairs)
        self.url, self.url_parts = url, urllib.parse.urlsplit(url)
        self.request_path = self.url_parts.path
        query = urllib.parse.parse_qsl(self.url_parts.query, keep_blank_values=True, encoding="latin-1")
        self.GET = multi(query)
        self.auth = Authentication(self.headers)
        self._read, self._body = read, None

    @property
    def body(self):
        if self._body is None:
            self._body = self._read()
        return self._body

    @property
    def POST(self):
        kind = self.headers.get("content-type", b"")
        if kind.startswith(b"multipart/form-data"):
            return multi(multipart(kind, self.body))
        return multi(urllib.parse.parse_qsl(decoded(self.body), keep_blank_values=True, encoding="latin-1"))

    @property
    def cookies(self):
        pairs = (part.strip().partition(b"=") for part in self.headers.get("cookie", b"").split(b";"))
        return MultiDict({name: [types.SimpleNamespace(value=value)] for name, found, value in pairs if found})


def multi(pairs):
    found = MultiDict()
    for name, value in pairs:
        found.setdefault(encoded(name), []).append(value if not isinstance(value, str) else encoded(value))
    return found


def multipart(kind, body):
    """The fields of a form, files as their bytes."""
    boundary = b"--" + kind.partition(b"boundary=")[2].strip(b'"')
    for part in body.split(boundary)[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = head.partition(b'name="')[2].partition(b'"')[0]
        yield decoded(name), value[:-2]


class ResponseHeaders:
    """An answer's headers, in the order they were added."""

    def __init__(self):
        self.pairs = []

    def set(self, name, value):
        self.pairs = [pair for pair in self.pairs if pair[0].lower() != encoded(name).lower()]
        self.append(name, value)

    def append(self, name, value):
        self.pairs.append((encoded(name), encoded(value)))

    def get(self, name, default=None):
        return [value for key, value in self.pairs if key.lower() == encoded(name).lower()] or default

    def update(self, pairs):
        for name, value in pairs:
            self.set(name, value)

    def __contains__(self, name):
        return self.get(name) is not None

    def __setitem__(self, name, value):
        self.set(name, value)

    def __iter__(self):
        return iter(self.pairs)


class Response:
    """An answer. A handler returns what it is to be, or writes it itself by `writer`."""

    def __init__(self, request, writer):
        self.request, self.writer = request, writer
        writer.response = self
        self.headers, self.content = ResponseHeaders(), []
        self.add_required_headers, self.close_connection = True, False
        self.send_body_for_head_request = False
        self._status = (200, None)

    @property
    def status(self):
        return self._status

    @status.setter
    def status(self, value):
        self._status = (int(value[0]), value[1]) if isinstance(value, tuple) else (int(value), None)

    def set_error(self, code, message=""):
        self.status = code
        self.headers = ResponseHeaders()
        self.headers.set("Content-Type", "application/json")
        self.content = json.dumps({"error": {"code": code, "message": decoded(message)}})

    def set_cookie(self, name, value, path="/", **more):
        text = f"{decoded(name)}={decoded(value or b'')}; Path={path}"
        for key, option in more.items():
            if option:
                text += f"; {key.replace('_', '-')}" + ("" if option is True else f"={option}")
        self.headers.append("Set-Cookie", text)

    def delete_cookie(self, name, path="/", **_):
        self.set_cookie(name, b"", path, max_age="0")

    unset_cookie = delete_cookie

    def take(self, returned):
        """What a handler returned: content, or with headers, or with status and headers."""
        if isinstance(returned, tuple):
            *status, headers, self.content = returned
            if status:
                self.status = status[0]
            self.headers.update(headers)
        elif returned is not None:
            self.content = returned

    def write_status_headers(self):
        self.writer.write_status(*self.status)
        for name, value in self.headers:
            self.writer.write_header(name, value)
        self.writer.end_headers()

    def write_content(self):
        if self.request.method == "HEAD" and not self.send_body_for_head_request:
            return
        content = self.content
        if isinstance(content, (str, bytes)) or hasattr(content, "read"):
            content = [content]
        for part in content:
            part = part() if callable(part) else part
            part = part.read() if hasattr(part, "read") else part
            if part and not self.writer.write(part):
                return

    def write(self):
        if self.status[0] in (204, 205, 304):  # Content that must not be there is not to be taken for the next answer.
            self.close_connection = True
        self.write_status_headers()
        self.write_content()


class Stash:
    """Values that requests leave for later ones; each is taken once."""

    def __init__(self):
        self.values, self.lock = {}, threading.Lock()

    def at(self, path):
        return types.SimpleNamespace(
            put=lambda key, value, place=None: self.put(place or path, key, value),
            take=lambda key, place=None: self.take(place or path, key),
            lock=self.lock,
        )

    def put(self, path, key, value):
        if value is None:
            raise ValueError("None cannot be stashed")
        self.values[path, decoded(key)] = value

    def take(self, path, key):
        return self.values.pop((path, decoded(key)), None)


def json_handler(handler):
    """wptserve's decorator: the last of what a handler returns is written as JSON."""

    def wrapped(request, response):
        response.headers.set("Content-Type", "application/json")
        returned = handler(request, response)
        if isinstance(returned, tuple):
            return (*returned[:-1], json.dumps(returned[-1]))
        return json.dumps(returned)

    return wrapped


def install():
    """Lets handlers import what they import: wptserve's modules, and six's in old checkouts."""

    def module(name, **content):
        made = types.ModuleType(name)
        made.__dict__.update(content)
        sys.modules.setdefault(name, made)

    module("wptserve")
    module("wptserve.utils", isomorphic_decode=decoded, isomorphic_encode=encoded)
    module("wptserve.handlers", json_handler=json_handler)
    module("six", text_type=str, binary_type=bytes, PY3=True, ensure_text=decoded, ensure_binary=encoded)
    module("six.moves")
    module("six.moves.urllib", parse=urllib.parse)
    module("six.moves.urllib.parse", **vars(urllib.parse))
