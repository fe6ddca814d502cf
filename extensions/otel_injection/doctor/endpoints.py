"""Sends an empty export request of each signal to where a process sends its own, and tells what the answer means.

Needs Python 3.10, as the sender of the payload does.
"""

import os
import sys
from typing import Any, Dict, List, NamedTuple

SIGNALS = ("traces", "metrics", "logs")
_PATIENCE = 3.0
"""Seconds for the requests of all signals together."""


class Answer(NamedTuple):
    """How a request ended; ``notes`` are what the exporters would say of the settings."""

    signal: str
    endpoint: str
    protocol: str
    accepted: bool
    text: str
    notes: List[str]


def possible() -> bool:
    """Return whether this Python can send them."""
    return sys.version_info >= (3, 10)


def send(environment: Dict[str, str]) -> List[Answer]:
    """Send them with the settings in ``environment``, all at once."""
    from threading import Thread

    for name in [each for each in os.environ if each.lower().endswith("_proxy")]:
        del os.environ[name]
    os.environ.update({name: value for name, value in environment.items() if name.lower().endswith("_proxy")})
    answers = []  # type: List[Answer]
    wanted = [each for each in SIGNALS if _exports(environment, each)]
    threads = [
        Thread(target=lambda each=each: answers.append(_send(each, environment)), daemon=True) for each in wanted
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(_PATIENCE + 2)
    missing = [each for each in wanted if each not in {answer.signal for answer in list(answers)}]
    text = "no answer; looking up the host name takes too long"
    answers += [Answer(each, "", "", False, text, []) for each in missing]
    return sorted(answers, key=lambda answer: SIGNALS.index(answer.signal))


def _exports(environment: Dict[str, str], signal: str) -> bool:
    if environment.get("OTEL_CONFIG_FILE", "").strip():
        return bool(_named_by_file(environment, signal))
    chosen = environment.get("OTEL_{}_EXPORTER".format(signal.upper()), "").strip() or "otlp"
    return any(each.strip().startswith("otlp") for each in chosen.split(","))


def _named_by_file(environment: Dict[str, str], signal: str) -> List[Any]:
    """Return how the configuration file has a signal sent, empty if there is no file, or none that can be used."""
    name = environment.get("OTEL_CONFIG_FILE", "").strip()
    if not name:
        return []
    from otel_injection.otlp import file_settings
    from otel_injection.report import Refused
    from otel_injection.settings.file import loading

    try:
        return list(file_settings.destinations(loading.read(name, environment), signal))
    except (Refused, ValueError):  # the process itself has printed a line about it
        return []


def _send(signal: str, environment: Dict[str, str]) -> Answer:
    notes = []  # type: List[str]
    try:
        from otel_injection.otlp import exporter_settings
        from otel_injection.otlp.sender import Sender

        named = _named_by_file(environment, signal)
        read = named[0] if named else exporter_settings.read(signal, notes.append, environment)
        sender = Sender(read, notes.append)
        outcome = sender.send(b"", _PATIENCE)
        sender.shutdown()
    except (ImportError, SyntaxError) as error:
        return Answer(signal, "anywhere", "", False, "the payload is damaged ({})".format(error), notes)
    text = outcome.problem
    if outcome.success:
        text = "accepted" + (", but: " + text if text else "")
    elif read.endpoint.scheme == "http" and _ended_early(text) and _speaks_tls(read.endpoint.host, read.endpoint.port):
        text = "the port speaks TLS; write https:// in OTEL_EXPORTER_OTLP_ENDPOINT"
    if outcome.rejected:
        text += " ({} rejected)".format(outcome.rejected)
    return Answer(signal, read.endpoint.url, read.protocol, outcome.success, text, notes)


def _ended_early(problem: str) -> bool:
    return problem.startswith(("the connection was closed", "the answer is not HTTP", "the answer is 400"))


def _speaks_tls(host: str, port: int) -> bool:
    """Return whether a port greets in TLS; nothing is sent there, so whose certificate it has does not matter."""
    import socket
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        with socket.create_connection((host, port), 1.0) as plain, context.wrap_socket(plain):
            return True
    except OSError:
        return False
