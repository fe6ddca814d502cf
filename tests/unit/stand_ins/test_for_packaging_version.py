"""Versions are compared as by ``packaging``, and found as by ``importlib.metadata``."""

from __future__ import annotations

import operator
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import packaging.version
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from images.payload.index import _parsed
from otel_injection.stand_ins import for_packaging_requirements, for_packaging_version

NUMBERS = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda each: ".".join(map(str, each)))
ANY = NUMBERS | st.sampled_from(["1.0rc1", "2.0.post1", "1!0.5", "3.0.dev0", "1.2+local"])
REQUIRED = ("lib~=3.0", "lib~=0.92", "lib<11.0.0,>=7.2.0", "lib>=1.0", "lib<3", "lib~=3.2.1", "lib!=2.0", "lib==1.*")


@pytest.mark.parametrize("compare", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne])
@given(left=ANY, right=ANY)
def test_versions_compare_as_packagings(compare: Callable[[object, object], bool], left: str, right: str) -> None:
    expected = compare(packaging.version.parse(left), packaging.version.parse(right))
    assert compare(for_packaging_version.parse(left), for_packaging_version.parse(right)) is expected


def test_a_version_has_what_packagings_has() -> None:
    assert for_packaging_version.parse("2.10").release == (2, 10)
    assert for_packaging_version.Version("2.10").major == 2
    with pytest.raises(packaging.version.InvalidVersion):
        for_packaging_version.parse("none")


def _install(folder: Path, name: str, installed: str, kind: str = "dist-info") -> None:
    metadata = folder / f"{name}-{installed}.{kind}" / ("METADATA" if kind == "dist-info" else "PKG-INFO")
    metadata.parent.mkdir(parents=True)
    metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {installed}\n")


@pytest.mark.parametrize("installed", ["0.91", "0.93.1", "2", "3", "3.2.9", "7.2.0", "11.0", "3.0rc1", "1.0.post2"])
@pytest.mark.parametrize("required", REQUIRED)
def test_a_requirement_is_met_as_packaging_says(
    required: str, installed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _install(tmp_path, "lib", installed)
    monkeypatch.syspath_prepend(tmp_path)
    expected = Requirement(required).specifier.contains(installed, prereleases=True)
    assert for_packaging_version.met(_parsed(required), {}) is expected


@pytest.mark.parametrize(
    ("name", "kind"), [("My.Lib", "dist-info"), ("my_lib", "dist-info"), ("my_lib", "egg-info"), ("MY_LIB", "egg-info")]
)
def test_a_distribution_is_found_as_by_importlib(
    name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    _install(second, name, "1.5", kind)
    monkeypatch.syspath_prepend(second)
    monkeypatch.syspath_prepend(first)
    assert for_packaging_version.met(_parsed("my-lib>=1.5"), {})
    _install(first, "my_lib", "1.4")
    assert for_packaging_version.version("my-lib") == version("my-lib") == "1.4"
    assert not for_packaging_version.met(_parsed("my-lib>=1.5"), {})


def test_what_is_not_installed_meets_nothing() -> None:
    with pytest.raises(PackageNotFoundError):
        for_packaging_version.version("no-such-library")
    assert not for_packaging_version.met(_parsed("no-such-library>=0"), {})


def test_requirements_are_packagings_own() -> None:
    assert isinstance(for_packaging_requirements.Requirement("lib>=1"), Requirement)
    assert isinstance(Requirement("lib"), for_packaging_requirements.Requirement)  # type: ignore[arg-type]
    with pytest.raises(for_packaging_requirements.InvalidRequirement):
        for_packaging_requirements.Requirement("!")
