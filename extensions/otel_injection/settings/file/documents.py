"""Reads YAML, by the rules of its version 1.2 for what is a number, a truth value or nothing, and JSON.

``${NAME}``, ``${env:NAME}`` and ``${NAME:-default}`` in values stand for environment variables, ``$$`` for ``$``;
see https://opentelemetry.io/docs/specs/otel/configuration/data-model/#environment-variable-substitution.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from typing import Any

from yaml.composer import Composer
from yaml.error import YAMLError
from yaml.nodes import MappingNode, ScalarNode, SequenceNode
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner

_NODES = 20_000
"""The most values in a document: a short one can stand for millions by its aliases."""

_REFERENCE = re.compile(r"\$\$|\$\{(?:env:)?([A-Za-z_]\w*)(?::-([^}\n]*))?\}|\$\{[^}\n]*\}", re.ASCII)
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_PLAIN, _TEXT, _TAG = "?", "tag:yaml.org,2002:str", "tag:yaml.org,2002:"
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}


class DocumentError(Exception):
    """A document that cannot be read; ``place`` is where, as far as is known."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(message)
        self.place = place


class _Nodes(Reader, Scanner, Parser, Composer):
    """Makes nodes of YAML; an unquoted value, which may be other than text, has the tag ``?``."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)

    def resolve(self, kind: type, _value: Any, implicit: Any) -> str:
        if kind is ScalarNode:
            return _PLAIN if implicit[0] else _TEXT
        return f"{_TAG}{'map' if kind is MappingNode else 'seq'}"

    def descend_resolver(self, _parent: Any, _index: Any) -> None:
        """Do nothing: a tag depends on no path."""

    def ascend_resolver(self) -> None:
        """Do nothing."""


class Document:
    """A parsed document: its ``data``, and the ``lines`` by place, counted from 1; for JSON there are none."""

    def __init__(self, text: str, *, is_json: bool, environ: Mapping[str, str] = os.environ) -> None:
        self.lines: dict[str, int] = {}
        self._environ = environ
        self._left = _NODES
        try:
            self.data = self._of_json(json.loads(text), "") if is_json else self._of_yaml(text)
        except json.JSONDecodeError as error:
            raise DocumentError(f"is no JSON: {error.msg}", f"line {error.lineno}") from None
        except YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            what = getattr(error, "problem", None) or getattr(error, "reason", None) or "unknown characters"
            raise DocumentError(f"is no YAML: {what}", f"line {mark.line + 1}" if mark else "") from None
        except RecursionError:
            raise DocumentError("is nested too deeply") from None

    def _of_yaml(self, text: str) -> Any:
        node = _Nodes(text).get_single_node()
        return None if node is None else self._value(node, "")

    def _value(self, node: Any, place: str) -> Any:
        self._left -= 1
        if self._left < 0:
            raise DocumentError(f"holds more than {_NODES} values, aliases included")
        self.lines[place] = node.start_mark.line + 1
        if isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, place)
        if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
            return [self._value(each, f"{place}[{position}]") for position, each in enumerate(node.value)]
        if not isinstance(node, ScalarNode) or node.tag not in (_PLAIN, _TEXT):
            raise DocumentError(f"the tag {node.tag} has no meaning here", place)
        text = self._substituted(node.value, place)
        return _plain(text) if node.tag == _PLAIN else text

    def _mapping(self, node: Any, place: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, ScalarNode):
                raise DocumentError("a key must be a text", place)
            name = key.value
            inner = f"{place}.{name}" if place else name
            if name == "<<" and key.tag == _PLAIN:
                several = value.value if isinstance(value, SequenceNode) else [value]
                for each in several:
                    if not isinstance(each, MappingNode):
                        raise DocumentError("'<<' must stand for a mapping", place)
                    merged = {**self._mapping(each, place), **merged}
                continue
            if name in found:
                raise DocumentError("stands there twice", inner)
            found[name] = self._value(value, inner)
        return {**merged, **found}

    def _of_json(self, value: Any, place: str) -> Any:
        if isinstance(value, str):
            return self._substituted(value, place)
        if isinstance(value, list):
            return [self._of_json(each, f"{place}[{position}]") for position, each in enumerate(value)]
        if isinstance(value, dict):
            return {name: self._of_json(each, f"{place}.{name}" if place else name) for name, each in value.items()}
        return value

    def _substituted(self, text: str, place: str) -> str:
        def value(found: re.Match[str]) -> str:
            if found[0] == "$$":
                return "$"
            if found[1] is None:
                raise DocumentError("'${' must be followed by the name of a variable, or be written '$${'", place)
            return self._environ.get(found[1]) or found[2] or ""

        return _REFERENCE.sub(value, text) if "$" in text else text


def _plain(text: str) -> Any:
    """Return what a value without quotes is, by the core schema of YAML 1.2."""
    word = text.lower()
    if word in _WORDS and text in (word, word.capitalize(), word.upper()):
        return _WORDS[word]
    if _INTEGER.fullmatch(text):
        return int(text, 0 if text[:2] in ("0o", "0x") else 10) if len(text) < 1000 else text
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
