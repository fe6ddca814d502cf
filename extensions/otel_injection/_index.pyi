# The build writes the module from the payload's metadata: images/index.py.
from otel_injection.stand_ins.for_packaging_version import Requirement

API_VERSION: str
INSTRUMENTATION_VERSION: str
API_MODULES: tuple[str, ...]
ENTRY_POINTS: dict[str, dict[str, str]]
INSTRUMENTATIONS: tuple[tuple[str, str, tuple[str, ...], tuple[tuple[Requirement, ...], ...]], ...]
