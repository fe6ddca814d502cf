"""OpenTelemetry for apps that know nothing of it: the package that runs inside the injected process."""

from __future__ import annotations

import os

from otel_injection import bundle

bundle.install(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
