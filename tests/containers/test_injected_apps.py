"""The injection tests once more, with the image: a volume filled by its init container, apps in containers.

The apps' root file systems are read-only, as is, to their user, the injected tree.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from tests.containers.pods import (
    APPS,
    OPERATORS_COMMAND,
    OPERATORS_MOUNT,
    OTHER_MOUNT,
    ContainerApp,
    Copied,
    Volumes,
    app,
    empty_dir,
    init,
)
from tests.injection import test_flask_gunicorn, test_script, test_two_processes
from tests.injection.prices import catalogue_service
from tests.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tests.injection.conftest import StartApp
    from tests.injection.harness import Dependency


@dataclass(frozen=True)
class Way:
    """A way to inject: the init container's command, how the app mounts the volume, what its command is wrapped in."""

    command: tuple[str, ...]
    mount: str
    mode: str
    wrapper: tuple[str, ...] = ()


WAYS = {
    "operator": Way(OPERATORS_COMMAND, OPERATORS_MOUNT, "rw"),
    "by hand": Way(
        ("cp", "-a", "/autoinstrumentation/.", OTHER_MOUNT),
        OTHER_MOUNT,
        "ro",
        ("python3", f"{OTHER_MOUNT}/bin/opentelemetry-instrument"),
    ),
}


@pytest.fixture(scope="module", params=[*WAYS.values()], ids=[*WAYS])
def way(request: pytest.FixtureRequest) -> Way:
    return cast("Way", request.param)


@pytest.fixture(scope="module")
def volume(image: str, way: Way) -> Iterator[Path]:
    """The volume as the init container leaves it."""
    with empty_dir() as folder:
        assert init(image, way.command, {folder: (way.mount, "rw")}) == Copied(0, "", "")
        yield folder


@pytest.fixture
def mount(way: Way) -> Path:
    """Where the app finds the tree."""
    return Path(way.mount)


@pytest.fixture
def start(base_image: str, way: Way, volume: Path) -> Iterator[StartApp]:
    """Starts apps in containers; an app with the injected environment gets the volume and the wrapped command too."""
    with ExitStack() as stack:

        def start_app(command: Sequence[str], name: str, env: Mapping[str, str]) -> ContainerApp:
            volumes: Volumes = {}
            if "OTEL_SERVICE_NAME" in env:
                volumes, command = {volume: (way.mount, way.mode)}, [*way.wrapper, *command]
            return stack.enter_context(app(base_image, command, APPS / name, env, volumes))

        yield cast("StartApp", start_app)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """What the apps export to."""
    with Receiver() as running:
        yield running


@pytest.fixture
def catalogue() -> Iterator[Dependency]:
    """The service that the script sample calls."""
    with catalogue_service() as service:
        yield service


# What they assert stands with them: the same for apps in containers.
test_threaded_workers = test_flask_gunicorn.test_forty_requests_to_threaded_workers_give_forty_server_spans
test_sync_workers = test_flask_gunicorn.test_forty_requests_to_sync_workers_follow_the_stable_conventions_when_asked
test_error_handlers = test_flask_gunicorn.test_error_handlers_answer_and_log_as_without_injection
test_log_records = test_flask_gunicorn.test_log_records_belong_to_the_span_of_their_request
test_plain_script = test_script.test_every_outbound_call_of_a_script_is_a_client_span
test_shell_entrypoint = test_two_processes.test_telemetry_arrives_from_every_process_although_the_app_fails
