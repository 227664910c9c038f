"""wptserve's pipes: `?pipe=header(a,b)|status(404)|trickle(d1:10)` changes an answer on its way."""

import gzip
import re
import time

from substitute import Substitution

CALL = re.compile(r"(\w+)(?:\(((?:[^)\\]|\\.)*)\))?\|?")
ARGUMENT = re.compile(r"(?:[^,\\]|\\.)+")
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def apply(text, request, response):
    """Runs the pipes that `text` names over a response whose content is bytes."""
    for name, arguments in CALL.findall(text):
        unescaped = [
            re.sub(r"\\(.)", lambda match: ESCAPES.get(match[1], match[1]), argument)
            for argument in ARGUMENT.findall(arguments)
        ]
        PIPES[name](request, response, *unescaped)


def header(_, response, name, value="", append="false"):
    (response.headers.append if append.lower() in ("true", "1") else response.headers.set)(name, value)


def status(_, response, code):
    response.status = int(code)


def sub(request, response, _="html"):
    text = Substitution(request.server.ports, request)(response.content.decode("utf-8", "surrogateescape"))
    response.content = text.encode("utf-8", "surrogateescape")


def gzipped(_, response):
    response.content = gzip.compress(response.content)
    response.headers.set("Content-Encoding", "gzip")
    response.headers.set("Content-Length", len(response.content))


def sliced(_, response, start, end="null"):
    response.content = response.content[slice(*(None if at == "null" else int(at) for at in (start, end)))]


def trickle(_, response, delays):
    """`d1:100:d2:r2`: a second, 100 bytes, two seconds, and the last two again until all is sent."""
    steps, content = delays.split(":"), response.content
    response.headers.set("Cache-Control", "no-cache, no-store, must-revalidate")

    def parts():
        sent = 0
        for at, step in enumerate(steps):
            again = 1
            while again:
                again = 0
                if step[0] == "r" and sent < len(content):
                    repeated, again = steps[at - int(step[1:]) : at], 1
                else:
                    repeated = [step] if step[0] != "r" else []
                for item in repeated:
                    if item[0] == "d":
                        time.sleep(float(item[1:]))
                    else:
                        yield content[sent : sent + int(item)]
                        sent += int(item)
        yield content[sent:]

    response.content = parts()


PIPES = {"header": header, "status": status, "sub": sub, "gzip": gzipped, "slice": sliced, "trickle": trickle}
