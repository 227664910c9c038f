"""What is known not to pass, why, and what is not asked for: expectations.json and exclusions.json.

expectations.json: `{"a/b.any.js": {"name of a subtest": "reason"}}`, where the path may go on with a variant. In a name,
`*` stands for anything, and `[*]` for itself; every subtest it matches has to fail. A reason that begins with
"unstable:" lets them pass too. `(harness)` is the test as a whole: it crashed, ran out of time, or had no subtest.

exclusions.json: `[{"reason": …, "tests": [path…], "subtests": [name…]}]`, with `*` likewise; without subtests the
tests are not run.
"""

import bisect
import functools
import json
import pathlib
import re

from outcome import HARNESS

HERE = pathlib.Path(__file__).parent
EXPECTATIONS = HERE / "expectations.json"
EXCLUSIONS = HERE / "exclusions.json"
UNSTABLE = "unstable:"
UNKNOWN = "not looked into yet"
# So many names that begin alike are written as one.
ALIKE = 3


@functools.cache
def matcher(pattern):
    parts = re.split(r"(\[\*\]|\*)", pattern)
    texts = (".*" if part == "*" else r"\*" if part == "[*]" else re.escape(part) for part in parts)
    return re.compile("".join(texts), re.DOTALL).fullmatch


def matches(pattern, text):
    return matcher(pattern)(text) is not None


class Exclusions:
    """The tests and subtests that are not asked for."""

    def __init__(self, rules):
        self.rules = rules

    @staticmethod
    def load():
        return Exclusions(json.loads(EXCLUSIONS.read_text()))

    def of_test(self, test):
        """Why a test is not run, or None."""
        for rule in self.rules:
            if "subtests" not in rule and any(matches(path, name) for path in rule["tests"] for name in (test.path, test.name)):
                return rule["reason"]
        return f"needs {test.needs}" if test.needs else None

    def of_subtests(self, test):
        """`(pattern, reason)` of the subtests of a test that do not count."""
        return [
            (pattern, rule["reason"])
            for rule in self.rules
            if "subtests" in rule and any(matches(path, name) for path in rule["tests"] for name in (test.path, test.name))
            for pattern in rule["subtests"]
        ]


class Expectations:
    """The known failures."""

    def __init__(self, known):
        self.known = known

    @staticmethod
    def load():
        return Expectations(json.loads(EXPECTATIONS.read_text()) if EXPECTATIONS.exists() else {})

    def of(self, test):
        """`{pattern: reason}` for a test."""
        return {**self.known.get(test.path, {}), **self.known.get(test.name, {})}

    def surprises(self, test, subtests):
        """What is not as expected, as lines; `subtests` is `{name: (status, message)}` without those excluded."""
        expected, found = self.of(test), []
        for name, (status, message) in subtests.items():
            reasons = [reason for pattern, reason in expected.items() if matches(pattern, name)]
            if status != "PASS" and not reasons:
                found.append(f"{status}, not expected: {name}" + (f"\n      {message}" if message else ""))
            if status == "PASS" and any(not reason.startswith(UNSTABLE) for reason in reasons):
                found.append(f"PASS, not expected: {name}")
        # What stands under the path alone is about all variants, each of which has a part of it.
        for pattern in self.known.get(test.name, {}):
            if pattern != HARNESS and not any(matches(pattern, name) for name in subtests):
                found.append(f"expected, but there is no such subtest: {pattern}")
        return found

    def update(self, outcomes, reason):
        """Takes the failures of `outcomes`, `[(test, {name: (status, message)})]`, for known ones. Reasons stay."""
        by_path = {}
        for test, subtests in outcomes:
            by_path.setdefault(test.path, []).append((test.name, *self.split(test, subtests, reason)))
        for path, runs in by_path.items():
            for name in (path, *(name for name, _, _ in runs)):
                self.known.pop(name, None)
            failing = {name: text for _, part, _ in runs for name, text in part.items()}
            passing = {name for _, _, part in runs for name in part}
            if passing & failing.keys():  # Variants differ.
                self.known.update({name: compact(*parts) for name, *parts in runs if parts[0]})
            elif failing:
                self.known[path] = compact(failing, passing)

    def split(self, test, subtests, reason):
        """The failing subtests with their reasons, and the passing ones."""
        expected, failing, passing = self.of(test), {}, set()
        for name, (status, _) in subtests.items():
            reasons = [text for pattern, text in expected.items() if matches(pattern, name)]
            if status == "PASS" and not any(text.startswith(UNSTABLE) for text in reasons):
                passing.add(name)
            else:
                failing[name] = reasons[0] if reasons else reason or UNKNOWN
        return failing, passing

    def save(self):
        EXPECTATIONS.write_text(json.dumps(self.known, indent=1, sort_keys=True, ensure_ascii=True) + "\n")


def compact(failing, passing):
    """`{pattern: reason}` for `failing`, `{name: reason}`, that matches nothing of `passing`."""
    found = {}
    if HARNESS in failing:
        failing = dict(failing)
        found[HARNESS] = failing.pop(HARNESS)
    if not failing:
        return found
    if len(set(failing.values())) == 1 and not passing and not found:
        return {"*": next(iter(failing.values()))}

    passed, failed = sorted(passing - {HARNESS}), sorted(failing)

    def below(names, prefix):
        return names[bisect.bisect_left(names, prefix) : bisect.bisect_left(names, prefix + "\U0010ffff")]

    def walk(prefix, names):
        alike = below(failed, prefix)
        if prefix and len(alike) >= ALIKE and len({failing[name] for name in alike}) == 1 and not below(passed, prefix):
            found[escape(prefix) + "*"] = failing[names[0]]
            return
        words = {}
        for name in names:
            words.setdefault(re.match(r"\W?\w*", name[len(prefix) :])[0], []).append(name)
        for word, inside in words.items():
            if len(inside) == 1 or not word:
                found.update({escape(name): failing[name] for name in inside})
            else:
                walk(prefix + word, inside)

    walk("", failed)
    return found


def escape(name):
    return name.replace("*", "[*]")
