"""`{{host}}` and its like in `.sub.` files, as wptserve fills them in."""

import re
import uuid

HOST = "localhost"
# Another origin, and all that a loopback interface has to offer.
OTHER = "127.0.0.1"

FIELD = re.compile(r"\{\{(?:(\$\w+):)?(\$?\w+)([^{}\n]*)\}\}")
INDEX = re.compile(r"\[([^\]]*)\]|\(([^)]*)\)")


class Substitution:
    """For a server on `ports`, `{"http": [port…]…}`; `request` is there only where a server substitutes."""

    def __init__(self, ports, request=None):
        domains = {"": HOST, **{name: OTHER for name in ("www", "www1", "www2", "天気の良い日", "élève")}}
        self.known = {
            "host": HOST,
            "domains": domains,
            "hosts": {"": domains, "alt": dict.fromkeys(domains, OTHER)},
            "ports": {scheme: dict(enumerate(numbers)) for scheme, numbers in ports.items()},
        }
        if request:
            parts = request.url_parts
            self.known["headers"] = {name.decode().lower(): value.decode("latin-1") for name, value in request.headers.items()}
            self.known["GET"] = {key.decode(): values[0].decode("latin-1") for key, values in request.GET.items()}
            self.known["location"] = {
                "server": f"{parts.scheme}://{parts.netloc}", "scheme": parts.scheme, "host": parts.netloc,
                "hostname": parts.hostname, "port": parts.port, "path": parts.path, "pathname": parts.path,
                "query": f"?{parts.query}",
            }

    def __call__(self, text):
        variables = {}

        def value(match):
            variable, name, rest = match.groups()
            if name == "uuid" and rest == "()":
                found = str(uuid.uuid4())
            elif name == "header_or_default" and "headers" in self.known:
                header, default = (part.strip() for part in INDEX.match(rest)[2].split(","))
                found = self.known["headers"].get(header.lower(), default)
            else:
                found = variables.get(name, self.known.get(name))
                for index, _ in INDEX.findall(rest):
                    if isinstance(found, dict):
                        found = found.get(int(index) if index.isdigit() else index.lower() if name == "headers" else index)
                if found is None or isinstance(found, dict):
                    return match[0]  # Not for us: templates of other kinds look like this too.
            if variable:
                variables[variable] = found
            return str(found)

        return FIELD.sub(value, text)
