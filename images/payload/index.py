"""Makes the index that replaces scanning for entry points at run time, and the names that every process waits for.

They are written into the tree as ``otel_injection/_index.py`` and ``_names.py``: literals that load as fast as byte
code can. The index holds the entry points of every distribution in the payload, the instrumentations with the versions
they support and the imports that trigger them, and the modules of the OpenTelemetry API.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.metadata import Distribution, EntryPoint
from pprint import pformat

from images.errors import UserError
from images.payload.ownership import Ownership
from images.payload.triggers import LEFT_OUT, TRIGGERS, WAITING

_INSTRUMENTS = re.compile(r"(?P<requirement>[^;]+);\s*extra\s*==\s*['\"]instruments(?P<any>-any)?['\"]")
_NAME = re.compile(r"[A-Za-z0-9._-]*[A-Za-z0-9]")
_BOUNDS = re.compile(r"(>=|<|~=)\s*(\d+(?:\.\d+)*)(?=\s*(?:,|$))")
_EXPORTER = "otel_injection.otlp"
_PROCESSORS = "otel_injection.processors"

OWN_ENTRY_POINTS = {
    "opentelemetry_traces_exporter": {
        "otlp": f"{_EXPORTER}:OTLPSpanExporter",
        "otlp_proto_http": f"{_EXPORTER}:OTLPSpanExporter",
    },
    "opentelemetry_metrics_exporter": {
        "otlp": f"{_EXPORTER}:OTLPMetricExporter",
        "otlp_proto_http": f"{_EXPORTER}:OTLPMetricExporter",
    },
    "opentelemetry_logs_exporter": {
        "otlp": f"{_EXPORTER}:OTLPLogExporter",
        "otlp_proto_http": f"{_EXPORTER}:OTLPLogExporter",
    },
    "otel_injection_span_processor": {
        "add_attributes": f"{_PROCESSORS}.add_attributes:AddToSpans",
        "drop_fast": f"{_PROCESSORS}.tail_sampling:DropFast",
        "drop_probes": f"{_PROCESSORS}.drop_requests:DropProbes",
        "drop_urls": f"{_PROCESSORS}.drop_requests:DropUrls",
        "mask": f"{_PROCESSORS}.mask:MaskSpans",
        "tail_sampling": f"{_PROCESSORS}.tail_sampling:TailSampling",
    },
    "otel_injection_log_processor": {
        "add_attributes": f"{_PROCESSORS}.add_attributes:AddToLogs",
        "mask": f"{_PROCESSORS}.mask:MaskLogs",
    },
    "otel_injection_metric_processor": {
        "drop_attributes": f"{_PROCESSORS}.of_metrics:DropMetricAttributes",
        "limit_cardinality": f"{_PROCESSORS}.of_metrics:LimitCardinality",
    },
    "opentelemetry_resource_detector": {
        "container": "otel_injection.sdk.detectors.container:ContainerDetector",
        "k8s": "otel_injection.sdk.detectors.k8s:K8sDetector",
    },
    "opentelemetry_distro": {"distro": "otel_injection.instrumentations.distro:Distro"},
    "opentelemetry_configurator": {"configurator": "otel_injection.sdk.configurator:Configurator"},
}
"""Entry points of ours, with the names that upstream's distro and ``opentelemetry-exporter-otlp`` would register."""

OWN_INSTRUMENTORS = {
    "asyncio": "otel_injection.instrumentations.asyncio:Instrumentor",
    "click": "otel_injection.instrumentations.click:Instrumentor",
}
"""By entry point name, the instrumentor of ours that takes the place of upstream's."""

_NOT_IN_TREE = frozenset({"console_scripts", "opentelemetry_distro", "opentelemetry_configurator"})


def render(
    distributions: Sequence[Distribution],
    api_modules: Sequence[str],
    ownership: Ownership,
    own: Iterable[EntryPoint] = (),
) -> str:
    """Return the source of ``otel_injection/_index.py``; ``own`` are entry points of no distribution.

    Raises UserError if an instrumentation of the payload has no trigger, or a trigger no instrumentation.
    """
    groups: dict[str, dict[str, str]] = {group: dict(entries) for group, entries in OWN_ENTRY_POINTS.items()}
    instrumentations = []
    for distribution in sorted(distributions, key=lambda each: each.name):
        requires = _instruments(distribution)
        for entry in sorted(distribution.entry_points):
            if entry.group in _NOT_IN_TREE:
                continue
            module, _, attribute = entry.value.partition(":")
            target = f"{ownership.home(module)}:{attribute}" if attribute else ownership.home(module)
            if entry.group != "opentelemetry_instrumentor":
                groups.setdefault(entry.group, {})[entry.name] = target
            elif entry.name not in LEFT_OUT:
                target = OWN_INSTRUMENTORS.get(entry.name, target)
                instrumentations.append((entry.name, target, _triggers(entry.name), requires[entry.name]))
    for entry in own:
        module, _, attribute = entry.value.partition(":")
        groups.setdefault(entry.group, {})[entry.name] = f"{ownership.home(module)}:{attribute}"
    unknown = set(TRIGGERS) - {each[0] for each in instrumentations}
    if unknown:
        raise UserError(
            f"images/payload/triggers.py names instrumentations that the payload lacks: {', '.join(sorted(unknown))}"
        )
    api = next(each.version for each in distributions if each.name == "opentelemetry-api")
    instrumentation = next(each.version for each in distributions if each.name == "opentelemetry-instrumentation")
    constants = {
        "API_VERSION": api,
        "INSTRUMENTATION_VERSION": instrumentation,
        "API_MODULES": tuple(sorted(api_modules)),
        "ENTRY_POINTS": {group: dict(sorted(entries.items())) for group, entries in sorted(groups.items())},
        "INSTRUMENTATIONS": tuple(
            (name, target, triggers, tuple(tuple(_parsed(each) for each in group) for group in requires))
            for name, target, triggers, requires in instrumentations
        ),
    }
    lines = ['"""Made by the build from the payload\'s metadata."""', ""]
    lines += [f"{name} = {pformat(value, width=118, sort_dicts=False)}" for name, value in constants.items()]
    return "\n".join(lines) + "\n"


def render_names() -> str:
    """Return the source of ``otel_injection/_names.py``: what each process waits for.

    See ``otel_injection.imports.hooks``.
    """
    waiting: dict[str, tuple[str, ...]] = dict(WAITING)
    for triggers in TRIGGERS.values():
        for trigger in triggers:
            acting = ("instrumentations.activation:arrived",) if trigger == triggers[-1] else ()
            waiting[trigger] = tuple(dict.fromkeys((*waiting.get(trigger, ()), *acting)))
    for name in tuple(waiting):
        parts = name.split(".")
        for count in range(1, len(parts)):
            waiting.setdefault(".".join(parts[:count]), ())
    waiting = {name: waiting[name] for name in sorted(waiting)}
    text = pformat(waiting, width=118, sort_dicts=False)
    return f'"""Made by the build from images/payload/triggers.py."""\n\nAFTER = {text}\n'


def _parsed(requirement: str) -> tuple[str, str, tuple[tuple[str, str], ...] | None]:
    """Return a requirement, the name in it, and its bounds if they are simple.

    See ``otel_injection.stand_ins.for_packaging_version``.
    """
    name, marks = _NAME.match(requirement), _BOUNDS.findall(requirement)
    assert name
    bounds: list[tuple[str, str]] = []
    for sign, version in marks:
        if sign == "~=":
            *upper, _last = map(int, version.split("."))
            upper[-1] += 1
            bounds += [(">=", version), ("<", ".".join(map(str, upper)))]
        else:
            bounds.append((sign, version))
    rest = _BOUNDS.sub("", requirement[name.end() :]).strip(" ,()")
    return requirement, name[0], None if rest else tuple(bounds)


def _triggers(name: str) -> tuple[str, ...]:
    if name not in TRIGGERS:
        raise UserError(
            f"no import triggers the instrumentation '{name}': name its library in images/payload/triggers.py"
        )
    return TRIGGERS[name]


class _Requirements(dict[str, tuple[tuple[str, ...], ...]]):
    """By entry point name: groups of requirements, of each of which one must be met."""


def _instruments(distribution: Distribution) -> _Requirements:
    """Read the libraries and versions that a distribution instruments from its ``instruments`` extras.

    Of those under ``instruments`` all must be met, of those under ``instruments-any`` one (contrib pull request 3610).
    Where one distribution holds an instrumentor per library (botocore and aiobotocore), each is asked for its own.
    """
    every: list[str] = []
    anyone: list[str] = []
    for requirement in distribution.requires or ():
        match = _INSTRUMENTS.match(requirement)
        if match:
            (anyone if match["any"] else every).append(match["requirement"].strip())
    found = _Requirements()
    for entry in distribution.entry_points:
        own = [each for each in anyone if re.match(rf"{re.escape(entry.name)}\b", each)]
        alternatives = tuple(own or anyone)
        found[entry.name] = tuple((each,) for each in every) + ((alternatives,) if alternatives else ())
    return found
