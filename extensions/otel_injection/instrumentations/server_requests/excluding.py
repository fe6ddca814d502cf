"""Decides whether the URL of a Flask request is excluded, mostly without Werkzeug building the URL.

Werkzeug quotes and decodes every part of it, which takes longer than a span. A path and a query of plain characters
need no quoting, and what stands before them is the same for many requests.
"""

from __future__ import annotations

import re
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.sansio.utils import get_current_url
from werkzeug.wrappers import Request

from otel_injection.instrumentations.server_requests.wsgi_attributes import remember

_plain_path = re.compile(r"/[A-Za-z0-9/_.~-]*").fullmatch
_plain_query = re.compile(rb"[A-Za-z0-9/_.~=&-]*").fullmatch


class Excluding:
    """The URLs that the settings exclude; ``urls`` is upstream's list of them."""

    def __init__(self, urls: Any) -> None:
        self._search = urls._regex.search
        self._starts: dict[Any, str] = {}
        self._kinds: dict[type, bool] = {}
        self._decided: dict[Any, bool] = {}

    def excludes(self, request: Any) -> bool:
        """Return whether a request's URL is excluded; False if the URL cannot be built."""
        if "url" in request.__dict__ or not self._knows(type(request)) or request.trusted_hosts:
            return self._decide(request, None)
        environ = request.environ
        server = environ.get("SERVER_NAME"), environ.get("SERVER_PORT")
        start = request.scheme, environ.get("HTTP_HOST"), server, request.root_path
        key = start, request.path, request.query_string
        decided = self._decided.get(key)
        if decided is None:
            decided = remember(self._decided, key, self._decide(request, start))
        return bool(decided)

    def _decide(self, request: Any, start: Any) -> bool:
        try:
            url = str(request.url) if start is None else self._url(request, start)
        except (HTTPException, ValueError):  # a host that the app does not trust, a port that is no number
            return False
        return self._search(url) is not None

    def _url(self, request: Any, key: Any) -> str:
        path, query = request.path, request.query_string
        if not _plain_path(path) or not _plain_query(query):
            return str(request.url)
        start = self._starts.get(key)
        rest = path.lstrip("/") + (f"?{query.decode()}" if query else "")
        if start is None:
            start = get_current_url(request.scheme, request.host, request.root_path, "")
            if start + rest != request.url:
                return str(request.url)
            remember(self._starts, key, start)
        return f"{start}{rest}"

    def _knows(self, kind: type) -> bool:
        known = self._kinds.get(kind)
        if known is None:
            known = all(getattr(kind, each, None) is getattr(Request, each) for each in ("url", "host"))
            remember(self._kinds, kind, known)
        return bool(known)
