"""There is one way to read a setting."""

from __future__ import annotations

import re

from images.paths import ROOT

PACKAGE = ROOT / "extensions" / "otel_injection"
ALLOWED = {
    "doctor/endpoints.py": "gives its own process the proxies of the process that it asks about",
    "imports/private_api.py": "hides a variable from the app's API while it is imported",
    "otlp/exporter_settings.py": "the default of an argument: the doctor reads the settings of other processes",
    "otlp/proxy.py": "looks whether any proxy is set, before it imports what reads those",
    "processors/add_attributes.py": "variables of the app, which a setting names",
    "report.py": "before there is anything else",
    "sdk/excluded_sampler.py": "looks whether any of many variables is set",
    "settings/early.py": "the one way",
    "settings/environment.py": "the one way for what the table checks",
    "settings/file/documents.py": "the default of an argument: variables of the app, which a configuration file names",
    "settings/file/loading.py": "the same",
    "start.py": "before there is anything else",
    "wrapper.py": "a command, which sets variables",
}
"""Modules that have to do with ``os.environ`` itself, and why."""


def test_only_few_modules_read_the_environment_by_themselves() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"(?<!`)os\.(environ|getenv)", path.read_text())
    }
    assert found == ALLOWED.keys()


def test_the_words_for_true_and_false_stand_in_one_module() -> None:
    found = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if '"off"' in path.read_text()}
    assert found == {"guard.py"}
