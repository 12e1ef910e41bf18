"""Tables whose numbers stand elsewhere, in the tests or in measurements, so that the two cannot disagree.

``bounds-table``      tests/bounds.py
``edge-case-table``   tests/edge_cases.py
``machine-table``     docs/performance/times.json: where its times come from
``times-table``       docs/performance/times.json
"""

import json
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive


def table(heads, rows):
    """Return a docutils table of short texts."""
    group = nodes.tgroup(cols=len(heads))
    group += [nodes.colspec(colwidth=1) for _ in heads]
    group += nodes.thead("", row_of(heads))
    group += nodes.tbody("", *map(row_of, rows))
    return nodes.table("", group)


def row_of(texts):
    """Return a table row, one paragraph per cell."""
    return nodes.row("", *(nodes.entry("", nodes.paragraph(text=str(text))) for text in texts))


class BoundsTable(Directive):
    """The promised accuracy of every case, in both dtypes."""

    def run(self):
        """Build the table from ``BOUNDS[case, dtype]``."""
        from bounds import BOUNDS

        dtypes = ["float32", "float64"]
        cases = dict.fromkeys(case for case, _ in BOUNDS)
        rows = [(case, *(BOUNDS.get((case, dtype), "") for dtype in dtypes)) for case in cases]
        return [table(["case", *dtypes], rows)]


class EdgeCaseTable(Directive):
    """The result of every special input."""

    def run(self):
        """Build the table from ``EDGES`` and from those that only float64 can hold."""
        from edge_cases import EDGES, EDGES_FLOAT64, EDGES_KEYWORDS

        functions = ["logsumexp", "logmeanexp", "softmax", "log_softmax"]
        rows = []
        for edge in EDGES + EDGES_KEYWORDS + EDGES_FLOAT64:
            options = ", ".join(f"{name}={short(value)}" for name, value in edge.options().items())
            signed = any(b < 0 for b in edge.b or [])  # shares have no negative weights
            answers = [
                "ValueError" if signed and "softmax" in f else short(edge.expected(f)) for f in functions
            ]
            rows.append((edge.name, short(edge.a), options, *answers))
        return [table(["case", "a", "options", *functions], rows)]


def measured():
    """Return what asv_benchmarks/performance.py wrote."""
    return json.loads((Path(__file__).parents[1] / "performance/times.json").read_text(encoding="utf-8"))


class MachineTable(Directive):
    """The machine and the versions that the times come from."""

    def run(self):
        """Build the table from what performance.py wrote down."""
        return [table(["", ""], measured()["machine"].items())]


class TimesTable(Directive):
    """Time per element, and how many times as long the fastest peer takes."""

    def run(self):
        """Build one row for each function, dtype and number of threads."""
        cases = {}
        for row in measured()["times"]:
            case = row["function"], row["dtype"], row["threads"]
            cases.setdefault(case, {})[row["library"]] = row["seconds"]
        rows = []
        for case, found in cases.items():
            ours, _ = found.pop("lsecy"), found.pop("roofline")
            best = {n: min(peer.get(n, float("inf")) for peer in found.values()) for n in ours}
            cells = [f"{s / int(n) * 1e9:.3g} ns, {best[n] / s:.3g}x" for n, s in ours.items()]
            rows.append((*case, *cells))
        return [table(["function", "dtype", "threads", *(f"{int(n):,}" for n in ours)], rows)]


def short(value):
    """Return numbers as a reader writes them: six digits, a list in brackets, a value with its sign."""
    if isinstance(value, tuple):
        return f"{short(value[0])}, sign {short(value[1])}"
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list):
        return f"[{', '.join(map(short, value))}]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def setup(app):
    """Register the directives."""
    app.add_directive("bounds-table", BoundsTable)
    app.add_directive("edge-case-table", EdgeCaseTable)
    app.add_directive("machine-table", MachineTable)
    app.add_directive("times-table", TimesTable)
    return {"parallel_read_safe": True}
