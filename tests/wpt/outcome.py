"""What became of a test."""

import dataclasses
import re

# The name under which a test's own end counts as a subtest, where it did not end well.
HARNESS = "(harness)"


@dataclasses.dataclass
class Outcome:
    """How the test as a whole ended, and `{name: (status, message)}` of its subtests."""

    status: str  # OK, ERROR, TIMEOUT, PRECONDITION_FAILED as of testharness.js; CRASH
    message: str | None = None
    subtests: dict = dataclasses.field(default_factory=dict)
    unanswered: bool = False  # the connection broke, or
    refused: bool = False  # there was none

    @staticmethod
    def from_report(report):
        """From what prelude.js reports. Names that occur twice get a number."""
        outcome = Outcome(report["status"], report["message"])
        for name, status, message in report["subtests"]:
            unique, count = name, 1
            while unique in outcome.subtests:
                count += 1
                unique = f"{name} #{count}"
            outcome.subtests[unique] = (status, message)
        return outcome

    def without(self, ports):
        """Names and messages without the ports of this run: `localhost:{http 0}`."""
        known = {f":{port}": f":{{{scheme} {at}}}" for scheme, numbers in ports.items() for at, port in enumerate(numbers)}
        pattern = re.compile("(?:" + "|".join(known) + r")\b")

        def stable(text):
            return text and pattern.sub(lambda match: known[match[0]], text)

        subtests = {stable(name): (status, stable(message)) for name, (status, message) in self.subtests.items()}
        return dataclasses.replace(self, message=stable(self.message), subtests=subtests)

    def all(self):
        """`{name: (status, message)}` with the test as a whole where it failed, or had nothing in it."""
        if self.status == "OK" and self.subtests:
            return self.subtests
        status, message = (self.status, self.message) if self.status != "OK" else ("FAIL", "no subtest")
        return {HARNESS: (status, message or ("out of time" if status == "TIMEOUT" else None)), **self.subtests}
