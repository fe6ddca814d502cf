"""The rules of ``mask``: what it replaces in texts, as its settings say."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from otel_injection.processors import options
from otel_injection.processors.options import flag, patterns

MASKED = "REDACTED"
"""The text in place of a secret, as in the semantic conventions."""

_QUERY = "access_token,api_key,apikey,auth,client_secret,code,id_token,key,password,passwd,pwd,refresh_token,secret"
_QUERY += ",session,sig,signature,token,AWSAccessKeyId,X-Amz-Signature,X-Amz-Credential,X-Amz-Security-Token"
_HEADERS = (
    "authorization,proxy-authorization,cookie,set-cookie,x-api-key,x-auth-token,x-csrf-token,x-amz-security-token"
)

_CREDENTIALS = re.compile(r"(?<=://)[^\s/?#@\"'<>]*(?:@[^\s/?#@\"'<>]*)*@(?=[^\s/?#@\"'<>])")
"""User name and password before a host; a password may hold an ``@`` that is not encoded."""
# Each of these expressions takes time in proportion to the length of the text, whatever the text is.
_STATEMENT = re.compile(
    r"\s*(?:SELECT\b.+?\bFROM\b|(?:INSERT|MERGE|REPLACE)\s+INTO\b|DELETE\s+FROM\b|UPDATE\s+\S+\s+SET\b"
    r"|WITH\s+\S+\s+AS\s*\(|CALL\s+\S+\s*\()",
    re.IGNORECASE | re.DOTALL,
)
"""How SQL in a log record begins, and sentences do not."""
_DOUBLE = r'"(?:[^"\\]|""|\\.|\\\Z)*(?:"|\Z)'
_PARTS = r"""
    \$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)                      # $$text$$ of PostgreSQL; a limit may have cut it off
    | (?:\b[eEnNbBxX])?'(?:[^'\\]|''|\\.|\\\Z)*(?:'|\Z)         # 'text', E'text'
    %s
    | (?P<quoted>%s`[^`]*(?:`|\Z))                              # a name
    | (?P<place>[$:@]\w+|%%\(\w+\)s)                            # a place for a parameter
    | (?<![\w.])[+-]?(?:0[xX][0-9a-fA-F]+|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+)(?![\w.])
"""
_LITERAL = re.compile(_PARTS % ("", f"{_DOUBLE}|"), re.VERBOSE | re.DOTALL)
_MYSQL_LITERAL = re.compile(_PARTS % (f"| {_DOUBLE}", ""), re.VERBOSE | re.DOTALL)
"""Literals in MySQL, where double quotes hold text."""
MYSQL = ("mysql", "mariadb")
"""The values of ``db.system`` and ``db.system.name`` that mean MySQL."""
_SQL_KEYS = frozenset({"db.statement", "db.query.text", "db.query.summary"})
_HEADER_KEY = re.compile(
    r"(?:http|rpc)\.(?:request|response)\.(?:header|metadata)\.|rpc\.grpc\.(?:request|response)\.metadata\."
)
_PARAMETERS = ("db.statement.parameters", "db.query.parameter", "db.operation.parameter")


class Rules:
    """The rules, read once from the environment or from the options in a configuration file."""

    def __init__(
        self, query: Any = None, headers: Any = None, sql: Any = None, attributes: Any = None, values: Any = None
    ) -> None:
        self._all_query, query = _names("OTEL_INJECTION_MASK_QUERY", query, _QUERY)
        self._all_headers, headers = _names("OTEL_INJECTION_MASK_HEADERS", headers, _HEADERS)
        self._headers = frozenset(each.lower().replace("-", "_") for each in headers)
        self._keys = patterns("OTEL_INJECTION_MASK_ATTRIBUTES", attributes, flags=re.IGNORECASE)
        self._values = patterns("OTEL_INJECTION_MASK_VALUES", values)
        self._sql = flag("OTEL_INJECTION_MASK_SQL", sql)
        parameter = r"[^=&;?#\s]+" if self._all_query else "|".join(map(re.escape, query))
        self._query = re.compile(rf"(?i)((?:^|[?&;])(?:{parameter})=)[^&;#\s\"'<>]*") if parameter else None
        header = "|".join(re.escape(each).replace("_", "[-_]").replace(r"\-", "[-_]") for each in headers)
        self._header = (
            re.compile(rf"(?i)\b((?:{header})[\"']?\s*[:=]\s*)(\"[^\"\n]*\"|'[^'\n]*'|[^\n]+)") if header else None
        )

    def for_key(self, key: str) -> Callable[[str], str]:
        """Return the function that masks a text under this key."""
        if any(each.found_in(key) is not False for each in self._keys) or self._is_header(key):
            return _all_of_it
        if self._sql and key in _SQL_KEYS:
            return self._in_sql
        if self._sql and key.startswith(_PARAMETERS):
            return _all_of_it
        return self.in_text

    def in_text(self, text: str) -> str:
        """Return a text with URLs, headers, statements and what the patterns find masked."""
        if "@" in text and "://" in text:
            text = _CREDENTIALS.sub(f"{MASKED}:{MASKED}@", text)
        if self._query is not None and "=" in text:
            text = self._query.sub(rf"\1{MASKED}", text)
        if self._header is not None and (":" in text or "=" in text):
            text = self._header.sub(rf"\1{MASKED}", text)
        if self._sql and _STATEMENT.match(text):
            text = _LITERAL.sub(_placeholder, text)
        return self._by_values(text)

    def for_mysql(self, key: str) -> Callable[[str], str]:
        """Return the function that masks a text under this key in a span of MySQL."""
        return self._in_mysql if self._sql and key in _SQL_KEYS else self.for_key(key)

    def _in_sql(self, text: str) -> str:
        return self._by_values(_LITERAL.sub(_placeholder, text))

    def _in_mysql(self, text: str) -> str:
        return self._by_values(_MYSQL_LITERAL.sub(_placeholder, text))

    def _by_values(self, text: str) -> str:
        for each in self._values:
            masked = each.replaced(text, MASKED)
            if masked is None:  # it takes too long
                return MASKED
            text = masked
        return text

    def _is_header(self, key: str) -> bool:
        found = _HEADER_KEY.match(key)
        if found is None:
            return False
        return self._all_headers or key[found.end() :].lower().replace("-", "_") in self._headers


def _names(variable: str, option: Any, usual: str) -> tuple[bool, list[str]]:
    """Return whether the setting is ``*`` (all), and the names that it lists; ``none`` lists none."""
    names = options.names(variable, option) or usual.split(",")
    if names == ["none"]:
        return False, []
    return "*" in names, [each for each in names if each != "*"]


def _all_of_it(_text: str) -> str:
    return MASKED


def _placeholder(found: re.Match[str]) -> str:
    if found["quoted"] is not None or found["place"] is not None:
        return found[0]
    return "?"
