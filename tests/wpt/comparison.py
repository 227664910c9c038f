"""What others pass of the subtests that count for nano, as a table on the terminal and as PEERS.md."""

import collections
import pathlib

import collect

PEERS = pathlib.Path(__file__).parent / "PEERS.md"

HEAD = """# Web Platform Tests, beside others

The subtests that count for nano in [SCORE.md](SCORE.md), and the share of them that other runtimes for servers pass: the
same bundles with the same harness, one process for each test. `tests/wpt/run --beside deno bun node workerd --save`
writes this file. The best share of each row is in bold.

"""


class Comparison:
    """`ran` is what nano has run: `(test, {name: (status, message)})`."""

    def __init__(self, ran):
        self.names = {test.name: set(subtests) for test, subtests in ran}
        self.counts = collections.Counter()
        self.columns = {}
        for test, subtests in ran:
            self.counts[test.directory] += len(subtests)
        self.add("nano", ran)

    def add(self, name, ran):
        """`ran` is what `name` has run of the same tests."""
        self.columns[name] = passed = collections.Counter()
        for test, subtests in ran:
            counts = self.names[test.name]
            passed[test.directory] += sum(status == "PASS" and name in counts for name, (status, _) in subtests.items())

    def rows(self):
        """`(directory, subtests, shares)`, each share in tenths of a per cent, rounded down; the total is last."""
        directories = sorted(name for name in self.counts if name not in collect.APART)
        rows = [
            (name, self.counts[name], [1000 * column[name] // self.counts[name] for column in self.columns.values()])
            for name in directories
            if self.counts[name]
        ]
        total = sum(self.counts[name] for name in directories)
        shares = [1000 * sum(column[name] for name in directories) // max(total, 1) for column in self.columns.values()]
        return [*rows, ("total", total, shares)]

    def text(self):
        table = [["directory", "subtests", *self.columns]]
        table += [[name, f"{count:,}", *(f"{share / 10:.1f}" for share in shares)] for name, count, shares in self.rows()]
        widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
        return "\n".join(
            "  ".join(cell.rjust(width) if at else cell.ljust(width) for at, (cell, width) in enumerate(zip(row, widths)))
            for row in table
        )

    def markdown(self):
        lines = ["| directory | subtests | " + " | ".join(self.columns) + " |", "|---" + "|--:" * (1 + len(self.columns)) + "|"]
        for name, count, shares in self.rows():
            cells = [f"**{share / 10:.1f}**" if share == max(shares) else f"{share / 10:.1f}" for share in shares]
            lines.append(f"| {name} | {count:,} | " + " | ".join(cells) + " |")
        return HEAD + "\n".join(lines) + "\n"
