"""Drops requests when their span starts, with all spans below them in this process.

A sampler decides. Children learn of the decision by the class of the parent's trace state: its content stays the
caller's, so nothing of the mark leaves the process, and it works under any sampler, parent based or not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind, TraceState, get_current_span

from otel_injection import report
from otel_injection.processors import options
from otel_injection.processors.base import SpanStep
from otel_injection.processors.options import names
from otel_injection.settings import early

Attributes = Mapping[str, Any]


class DropProbes(SpanStep):
    """``drop_probes``: requests whose ``User-Agent`` begins with one of ``OTEL_INJECTION_PROBE_USER_AGENTS``."""

    def __init__(self, following: Any, user_agents: Any = None) -> None:
        super().__init__(following)
        self._agents = tuple(names("OTEL_INJECTION_PROBE_USER_AGENTS", user_agents))

    def sampler(self, following: Any) -> Any:
        """Return the sampler that drops them."""

        def from_probe(attributes: Attributes) -> bool:
            agent = attributes.get("user_agent.original") or attributes.get("http.user_agent")
            return isinstance(agent, str) and agent.startswith(self._agents)

        return _RequestSampler(following, from_probe, self)


class DropUrls(SpanStep):
    """``drop_urls``: requests whose URL matches one of the regular expressions in ``OTEL_INJECTION_DROP_URLS``.

    They are searched for in the path, in the path with the query, and in the whole URL.
    """

    def __init__(self, following: Any, patterns: Any = None) -> None:
        super().__init__(following)
        self._unwanted = options.patterns("OTEL_INJECTION_DROP_URLS", patterns)

    def sampler(self, following: Any) -> Any:
        """Return the sampler that drops them."""
        unwanted = self._unwanted
        if not unwanted and not early.text("OTEL_INJECTION_DROP_URLS"):  # an unusable value has had its line already
            report.say("OTEL_INJECTION_DROP_URLS names no pattern: drop_urls drops nothing")
            return following

        def matches(attributes: Attributes) -> bool:
            urls = _urls(attributes)
            return any(each.found_in(url) for each in unwanted for url in urls)

        return _RequestSampler(following, matches, self)


def _urls(attributes: Attributes) -> list[str]:
    """Return the path, the path with the query, and the URL of a request, under the old and the stable conventions."""
    target = attributes.get("url.path") or attributes.get("http.target")
    url = attributes.get("url.full") or attributes.get("http.url") or ""
    if not isinstance(target, str) or not isinstance(url, str):
        return []
    path, _, query = target.partition("?")
    query = query or attributes.get("url.query") or url.partition("?")[2]
    if query:
        target = f"{path}?{query}"
    if not url:
        scheme = attributes.get("url.scheme") or attributes.get("http.scheme")
        host = attributes.get("server.address") or attributes.get("http.host")
        port = attributes.get("server.port")
        url = f"{scheme}://{host}{f':{port}' if port else ''}{target}"
    return [path, target, url]


class _Dropped(TraceState):
    """The trace state of a dropped span; ``step`` is the processor that dropped it."""

    step: DropProbes | DropUrls


class _RequestSampler(Sampler):
    def __init__(self, following: Sampler, unwanted: Callable[[Attributes], bool], step: Any) -> None:
        self._following = following
        self._unwanted = unwanted
        self._step = step
        self._plain = self._mark(None)

    def should_sample(
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        links: Any = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        parent = get_current_span(parent_context).get_span_context()
        state = parent.trace_state if parent.is_valid else None
        if type(state) is _Dropped and state.step is self._step:
            self._step.drop(1)
            return SamplingResult(Decision.DROP, None, state)
        if attributes and kind is not SpanKind.CLIENT and self._unwanted(attributes):
            self._step.drop(1)
            return SamplingResult(Decision.DROP, None, self._mark(state) if state else self._plain)
        return self._following.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def _mark(self, state: TraceState | None) -> TraceState:
        marked = _Dropped(list(state.items()) if state else None)
        marked.step = self._step
        return marked

    def get_description(self) -> str:
        return f"{type(self._step).__name__}{{{self._following.get_description()}}}"
