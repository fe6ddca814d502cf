"""How the demo looks: traces and their logs as trees, one for each worker, and a table of the metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from tests.receiver import Receiver
from tests.telemetry import LogRecord, MetricPoint, Span

SEVERITIES = {"INFO": "green", "WARN": "yellow", "ERROR": "red", "FATAL": "red"}
PROCESS = ("process.cpu.time", "process.memory.usage")
"""Those of the metrics about processes and the host that are shown with their values; of the others, the names."""
GUIDE = 4
"""The columns that a tree's lines take for each level."""
WIDE = 78
"""From so many columns on, routes are shown beside the names of spans."""


def show(console: Console, receiver: Receiver) -> None:
    """Print what was received, in no more columns than the console has."""
    spans = sorted(receiver.spans, key=lambda span: span.start)
    if spans:
        _show_traces(console, spans, receiver.logs)
    if receiver.points:
        _show_metrics(console, receiver)


def _show_traces(console: Console, spans: Sequence[Span], logs: Sequence[LogRecord]) -> None:
    columns = _Columns.fit(spans, console)
    children: dict[str, list[Span]] = {}
    known = {span.span_id for span in spans}
    for span in spans:
        children.setdefault(span.parent_id if span.parent_id in known else _process(span), []).append(span)
    records: dict[str, list[LogRecord]] = {}
    for record in logs:
        records.setdefault(record.span_id, []).append(record)

    def grow(tree: Tree, parent: str, depth: int) -> None:
        for span in children.get(parent, ()):
            branch = tree.add(columns.line(span, depth))
            for event in span.events:
                kind, message = (event.attributes.get(f"exception.{key}", "") for key in ("type", "message"))
                branch.add(_line(Text(event.name, "red" if kind else ""), f"{kind}: {message}" if kind else ""))
            for record in records.get(span.span_id, ()):
                severity = Text(f"{record.severity:<5}", SEVERITIES.get(record.severity, ""))
                branch.add(_line(severity, str(record.body).partition("\n")[0]))
            grow(branch, span.span_id, depth + 1)

    console.print()
    console.print(columns.heading())
    for process in sorted({_process(span) for span in spans}):
        roots = children.get(process, [])
        instance, _, pid = process.partition("\n")
        label = Text.assemble(("worker ", "bold"), (f"pid {pid}", "bold cyan"), f"  service.instance.id {instance}")
        tree = Tree(label, guide_style="dim")
        grow(tree, process, 1)
        tree.label = label.append(f"  {len(roots)} {'trace' if len(roots) == 1 else 'traces'}", "dim")
        console.print(tree)
    outside = Counter(record.scope for record in logs if record.span_id not in known)
    if outside:
        named = ", ".join(f"{count} {scope}" for scope, count in sorted(outside.items()))
        console.print(Text(f"{outside.total()} more log records outside of requests: {named}", "dim"))


def _show_metrics(console: Console, receiver: Receiver) -> None:
    names = sorted({(point.name, point.unit, point.scope) for point in receiver.points})
    shown = [each for each in names if each[0] in PROCESS or not each[2].endswith(".system_metrics")]
    rows = []
    for name, unit, _ in sorted(shown, key=lambda each: (each[0] in PROCESS, each[0])):
        points = receiver.latest_points(name)
        if points[0].count is None:
            rows.append((name, unit, _by_process(points, "value")))
        else:
            rows.append((f"{name} count", "", _by_process(points, "count")))
            rows.append((f"{name} sum", unit, _by_process(points, "sum")))
    processes = sorted({process for _, _, figures in rows for process in figures})
    table = _table(rows, processes)
    fits = console.measure(table, options=console.options.update(width=1000)).maximum <= console.width
    console.print()
    console.print(table if fits else _table(rows, ()))
    if not fits:
        console.print(Text("each process's own figures need more columns than this terminal has", "dim"))
    families = Counter(name.partition(".")[0] for each in names if each not in shown for name in each[:1])
    if families:
        named = ", ".join(f"{count} {family}.*" for family, count in families.items())
        console.print(Text(f"{families.total()} more metrics of the processes and the host: {named}", "dim"))
    console.print()


def _table(rows: Sequence[tuple[str, str, dict[str, float]]], processes: Sequence[str]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("\nmetric", overflow="fold")
    table.add_column("\nunit")
    for process in processes:
        pid = process.partition("\n")[2]
        table.add_column(f"worker\n{pid}", justify="right", style="cyan")
    table.add_column("\ntogether", justify="right", style="bold")
    for name, unit, figures in rows:
        each = (_number(figures[process]) if process in figures else "-" for process in processes)
        table.add_row(name, unit, *each, _number(sum(figures.values())))
    return table


def _by_process(points: Sequence[MetricPoint], figure: str) -> dict[str, float]:
    """Add up a figure over each process's time series."""
    sums: dict[str, float] = {}
    for point in points:
        sums[_process(point)] = sums.get(_process(point), 0) + (getattr(point, figure) or 0)
    return sums


@dataclass(frozen=True)
class _Columns:
    """Where the parts of a span's line stand, and the time that its bar is a part of (nanoseconds)."""

    name: int
    route: int
    bar: int
    mark: str
    start: int
    end: int

    @classmethod
    def fit(cls, spans: Sequence[Span], console: Console) -> _Columns:
        parents = {span.span_id: span.parent_id for span in spans}
        name = max(len(span.name) + GUIDE * _depth(span.span_id, parents) for span in spans)
        route = max(len(_route(span)) for span in spans) if console.width >= WIDE else 0
        name = min(name, max(console.width - 24, 12))
        room = console.width - len(_row("", "", "", "", name, route)) - 1
        bar = min(room, 40) if room >= 8 else 0
        mark = "#" if console.options.ascii_only else "━"
        return cls(name, route, bar, mark, min(span.start for span in spans), max(span.end for span in spans))

    def heading(self) -> Text:
        scale = f"{(self.end - self.start) / 1e6:.0f} ms"
        bar = f"0{scale:>{self.bar - 1}}" if self.bar else ""
        return Text(f"{_row('span', 'http.route', 'status', 'took', self.name, self.route)}{bar}", "bold", no_wrap=True)

    def line(self, span: Span, depth: int) -> Text:
        status = str(span.attributes.get("http.status_code", span.attributes.get("http.response.status_code", "")))
        failed = span.status == "error"
        took = f"{(span.end - span.start) / 1e6:.1f} ms"
        row = _row(span.name, _route(span), f"{status} error" if failed else status, took, self.name, self.route, depth)
        text = Text(row, "red" if failed else "", no_wrap=True, overflow="ellipsis")
        if self.bar:
            whole = max(self.end - self.start, 1)
            first = min(int((span.start - self.start) / whole * self.bar), self.bar - 1)
            last = max(round((span.end - self.start) / whole * self.bar), first + 1)
            text.append(" " * first)
            text.append(self.mark * (last - first), "red" if failed else "cyan")
        return text


def _row(name: str, route: str, status: str, took: str, name_width: int, route_width: int, depth: int = 0) -> str:
    """Lay out a line; a deeper one begins further right and its columns stand under the others' all the same."""
    width = max(name_width - GUIDE * depth, 1)
    parts = [f"{name[:width]:<{width}}", f"{status:<9}", f"{took:>9}", ""]
    if route_width:
        parts.insert(1, f"{route:<{route_width}}")
    return "  ".join(parts)


def _depth(span_id: str, parents: Mapping[str, str]) -> int:
    """Return 1 for a trace's first span, 2 for its children, and so on."""
    return 1 + _depth(parents[span_id], parents) if span_id in parents else 0


def _route(span: Span) -> str:
    return str(span.attributes.get("http.route", "-"))


def _process(item: Span | MetricPoint) -> str:
    """Return what tells one process from another, in the order that they are shown in."""
    return f"{item.resource.get('service.instance.id')}\n{item.resource.get('process.pid')}"


def _line(head: Text, text: str) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    return line.append_text(head).append(f"  {text}" if text else "")


def _number(value: float) -> str:
    if abs(value) >= 1e6:
        return f"{value / 1e6:.1f}M"
    return f"{value:.2f}".rstrip("0").rstrip(".")
