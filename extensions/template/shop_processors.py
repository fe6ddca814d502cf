"""A template for processors of your own: copy this folder to extensions/own and change it.

Three rules: hand on what you do not drop; do nothing slow, since the app's thread waits; keep nothing for ever. What
raises is passed over. ``extensions/template/entry_points.txt`` gives the names that the settings use.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from otel_injection.processors import LogStep, MetricStep, SpanStep, changed


class NameTenants(SpanStep):
    """Names the tenant of each request by the prefix of its path; drops those of the tenant ``SHOP_IGNORED_TENANT``."""

    def __init__(self, following: Any) -> None:
        super().__init__(following)
        self._ignored = os.environ.get("SHOP_IGNORED_TENANT", "")

    def on_end(self, span: Any) -> None:
        """Hand the span on with ``shop.tenant``."""
        path = span.attributes.get("url.path") or span.attributes.get("http.target") or ""
        tenant = path.split("/")[1] if path.startswith("/") else ""
        if not tenant:
            self.following.on_end(span)
        elif tenant == self._ignored:
            self.drop(1)
        else:
            self.following.on_end(changed(span, attributes={**span.attributes, "shop.tenant": tenant}))


class NoDebug(LogStep):
    """Drops log records below INFO."""

    def on_emit(self, log_record: Any) -> None:
        """Hand the record on if it is important enough."""
        severity = log_record.log_record.severity_number
        if severity is not None and severity.value < 9:  # INFO
            self.drop(1)
        else:
            self.following.on_emit(log_record)


class NoPorts(MetricStep):
    """Measures requests without the port that they came to."""

    def attributes(self, instrument: str, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the attributes without the port."""
        if not instrument.startswith("http.server."):
            return attributes
        return {key: value for key, value in attributes.items() if key not in ("net.host.port", "server.port")}
