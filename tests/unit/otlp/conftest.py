"""Senders and a certificate authority for the tests of the exporters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trustme

from otel_injection.otlp import exporter_settings
from otel_injection.otlp import sender as sender_module
from otel_injection.otlp.sender import Sender
from tests.unit.otlp.sending import Make


@pytest.fixture
def reports() -> list[str]:
    """What senders and exporters said."""
    return []


@pytest.fixture
def sender(monkeypatch: pytest.MonkeyPatch, reports: list[str]) -> Iterator[Make]:
    """Make senders from settings without their prefix; all are shut down afterwards."""
    made: list[Sender] = []
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)

    def make(endpoint: str, signal: str = "traces", **options: str) -> Sender:
        environ = {f"OTEL_EXPORTER_OTLP_{name.upper()}": value for name, value in options.items()}
        complaints: list[str] = []
        environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
        made.append(Sender(exporter_settings.read(signal, complaints.append, environ), reports.append))
        assert not complaints
        return made[-1]

    yield make
    for each in made:
        each.shutdown()
    sender_module._for_grpc.clear()  # a later test may get the same port


@pytest.fixture(scope="session")
def ca() -> trustme.CA:
    return trustme.CA()
