"""The table, on the terminal and as SCORE.md."""

import dataclasses
import pathlib

import collect

SCORE = pathlib.Path(__file__).parent / "SCORE.md"
COLUMNS = ("directory", "tests", "passed", "failed", "skipped", "per cent")

HEAD = """# Web Platform Tests

What nano passes of [Web Platform Tests](https://web-platform-tests.org), as `make wpt` finds it: this file is written
by it. `expectations.json` has the reason of each failure, and a run fails where one is missing or no longer true.

Counted are subtests, of every `.any.js` file and every `.window.js` file that needs no window; a file's variants are
tests of their own. A test that ends before its time, or has no subtest, counts as one that failed. Skipped are the
subtests, and the tests as one each, that are not asked for: the reasons stand below.

"""


@dataclasses.dataclass
class Row:
    tests: int = 0
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other):
        for field in dataclasses.fields(Row):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))

    def cells(self, name):
        counted = self.passed + self.failed
        # Rounded down: 100.0 is all of them.
        share = f"{1000 * self.passed // counted / 10:.1f}" if counted else "–"
        return [name, *(f"{number:,}" for number in (self.tests, self.passed, self.failed, self.skipped)), share]


class Score:
    """Rows by directory."""

    def __init__(self):
        self.rows = {}
        self.exclusions = {}

    def row(self, test):
        return self.rows.setdefault(test.directory, Row())

    def ran(self, test, subtests):
        row = self.row(test)
        row.tests += 1
        for status, _ in subtests.values():
            if status == "PASS":
                row.passed += 1
            else:
                row.failed += 1

    def skipped(self, test, reason, kind):
        """`kind` is what is skipped: "tests" or "subtests"."""
        self.row(test).skipped += 1
        counts = self.exclusions.setdefault(reason, {"tests": 0, "subtests": 0})
        counts[kind] += 1

    def lines(self):
        """The rows as cells: the directories, their total, and those apart."""
        total, rows, apart = Row(), [], []
        for name, row in sorted(self.rows.items()):
            if name in collect.APART:
                apart.append(row.cells(name))
            else:
                rows.append(row.cells(name))
                total.add(row)
        return rows, total.cells("total"), apart

    def text(self):
        rows, total, apart = self.lines()
        table = [list(COLUMNS), *rows, *([total] if len(rows) > 1 else []), *apart]
        widths = [max(len(row[column]) for row in table) for column in range(len(COLUMNS))]
        return "\n".join(
            "  ".join(cell.rjust(width) if at else cell.ljust(width) for at, (cell, width) in enumerate(zip(row, widths)))
            for row in table
        )

    def markdown(self, checkouts):
        rows, total, apart = self.lines()
        lines = [HEAD + "| " + " | ".join((*COLUMNS, "revision")) + " |", "|---" + "|--:" * (len(COLUMNS) - 1) + "|---|"]
        for cells in rows:
            lines.append("| " + " | ".join([*cells, (checkouts.revision(cells[0]) or "")[:10]]) + " |")
        lines.append("| " + " | ".join(f"**{cell}**" for cell in total) + " | |")
        if apart:
            lines.append("\nNot in the total:\n")
            lines.append("| " + " | ".join((*COLUMNS, "revision")) + " |\n|---" + "|--:" * (len(COLUMNS) - 1) + "|---|")
            for cells in apart:
                lines.append("| " + " | ".join([*cells, (checkouts.revision(cells[0]) or "")[:10]]) + " |")
        lines.append("\n## Not asked for\n")
        lines.append("| tests | subtests | reason |\n|--:|--:|---|")
        for reason, counts in sorted(self.exclusions.items()):
            lines.append(f"| {counts['tests'] or ''} | {counts['subtests'] or ''} | {reason} |")
        return "\n".join(lines) + "\n"
