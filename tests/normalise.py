"""Spans in a form that is equal from run to run, so that tests compare whole lists."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.telemetry import Attributes, Span


@dataclass
class Tree:
    """A span and the spans below it; ``children`` in the order of their start."""

    span: Span
    children: list[Tree]


def trees(spans: Iterable[Span]) -> list[Tree]:
    """Arrange spans by parent; a span whose parent did not arrive is a root. Roots in the order of their start."""
    nodes = {(span.trace_id, span.span_id): Tree(span, []) for span in sorted(spans, key=lambda span: span.start)}
    roots: list[Tree] = []
    for (trace_id, _), node in nodes.items():
        parent = nodes.get((trace_id, node.span.parent_id))
        (parent.children if parent else roots).append(node)
    return roots


def normalised(
    spans: Iterable[Span], *, volatile: Collection[str] = (), replace: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """Return spans without times and with ids numbered in the order of the list.

    The order is depth first, siblings and roots by content, so that concurrency does not matter. ``parent`` is None for
    the root of a trace and ``"remote"`` where the parent did not arrive. The values of ``volatile`` attributes become
    ``"*"``; ``replace`` maps parts of texts, such as a port, to what is to stand there. Scope versions and resources
    are left out: tests compare those on their own.
    """
    return _Normaliser(volatile, replace or {}).run(spans)


@dataclass
class _Normaliser:
    volatile: Collection[str]
    replace: Mapping[str, str]
    result: list[dict[str, Any]] = field(default_factory=list)
    traces: dict[str, int] = field(default_factory=dict)

    def run(self, spans: Iterable[Span]) -> list[dict[str, Any]]:
        self._walk(trees(spans), None)
        return self.result

    def _walk(self, nodes: Iterable[Tree], parent: int | None) -> None:
        for node in sorted(nodes, key=self._key):
            number = len(self.result) + 1
            trace = self.traces.setdefault(node.span.trace_id, len(self.traces) + 1)
            shown = "remote" if parent is None and node.span.parent_id else parent
            self.result.append({"trace": trace, "id": number, "parent": shown, **self._content(node.span)})
            self._walk(node.children, number)

    def _key(self, node: Tree) -> str:
        children = sorted(self._key(child) for child in node.children)
        return json.dumps([self._content(node.span), children], sort_keys=True, default=repr)

    def _content(self, span: Span) -> dict[str, Any]:
        content: dict[str, Any] = {
            "name": self._text(span.name),
            "kind": span.kind,
            "scope": span.scope,
            "status": span.status,
            "attributes": self._attributes(span.attributes),
        }
        if span.events:
            content["events"] = [(event.name, self._attributes(event.attributes)) for event in span.events]
        if span.links:
            content["links"] = [self._attributes(link.attributes) for link in span.links]
        return content

    def _attributes(self, attributes: Attributes) -> Attributes:
        return {key: "*" if key in self.volatile else self._text(value) for key, value in sorted(attributes.items())}

    def _text(self, value: Any) -> Any:
        if isinstance(value, str):
            for old, new in self.replace.items():
                value = value.replace(old, new)
        return value
