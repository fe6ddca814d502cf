"""Which processes are left alone is decided from their command line and environment."""

from __future__ import annotations

import pytest

from otel_injection.guard import reason_to_skip


@pytest.mark.parametrize(
    "argv",
    [
        "python app.py",
        "python -u app.py",
        "python -m gunicorn app:app",
        "python -m flask run",
        "python -Wignore -m myapp",
        "python -W ignore app.py --pip",
        "python -X dev -c print(1)",
        "python -Es -mmyapp",
        "python",
        "python -",
        "/usr/bin/python3 /usr/local/bin/gunicorn app:app",
        "python pipeline.py",
        "python -m pipeline",
        "python building/main.py",
        "python site.py",
        "python site1.py",
        "python pip.py",
        "python -m site1",
        "python -c from multiprocessing.forkserver import main; main(5, 6, [])",
        "python -c from multiprocessing.spawn import spawn_main; spawn_main(7)",
    ],
)
def test_an_app_is_instrumented(argv: str) -> None:
    assert reason_to_skip({}, _split(argv)) is None


@pytest.mark.parametrize(
    "argv",
    [
        "python -m pip install flask",
        "python -I -m pip list",
        "python -Im pip list",
        "python -mvenv x",
        "python -m pip._internal.cli",
        "python -X importtime -m compileall .",
        "python /venv/bin/pip3.11 install x",
        "python /venv/bin/pip install x",
        "python -c from multiprocessing.resource_tracker import main;main(5)",
        "python /opt/manage_tool.py",
    ],
)
def test_a_tool_is_left_alone(argv: str) -> None:
    assert reason_to_skip({"OTEL_INJECTION_SKIP": "other, manage_tool"}, _split(argv)) is not None


@pytest.mark.parametrize("value", ["false", "0", "no", "OFF", " False "])
def test_the_kill_switch_stops_everything(value: str) -> None:
    assert reason_to_skip({"OTEL_INJECTION_ENABLED": value}, ["python", "app.py"]) == (
        "disabled",
        "OTEL_INJECTION_ENABLED is false",
    )


def test_otel_sdk_disabled_is_honoured_before_anything_is_imported() -> None:
    assert reason_to_skip({"OTEL_SDK_DISABLED": "TRUE"}, ["python", "app.py"]) == (
        "sdk_disabled",
        "OTEL_SDK_DISABLED is true",
    )


def test_an_empty_switch_counts_as_not_set() -> None:
    assert reason_to_skip({"OTEL_INJECTION_ENABLED": "", "OTEL_SDK_DISABLED": ""}, ["python", "app.py"]) is None


def _split(argv: str) -> list[str]:
    """Split as a shell would that has the command after ``-c`` quoted."""
    head, separator, command = argv.partition(" -c ")
    return head.split() + (["-c", command] if separator else [])
