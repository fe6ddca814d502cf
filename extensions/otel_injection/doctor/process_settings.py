"""The settings in force in a process, as far as its environment says; secrets are left out."""

import re
from typing import Dict, List, Tuple

_NAMES = re.compile(r"^(OTEL_.*|PYTHON(PATH|HOME|SAFEPATH|NOUSERSITE)|(HTTPS?|NO|ALL)_PROXY|(https?|no|all)_proxy)$")
_SECRET = re.compile(r"HEADERS|TOKEN|PASSWORD|SECRET|KEY$")
_CREDENTIALS = re.compile(r"//[^/@]*@")


def in_force(environment: Dict[str, str]) -> List[Tuple[str, str]]:
    """Return the variables that decide about telemetry, with what may be shown of their values."""
    return [(name, _shown(name, value)) for name, value in sorted(environment.items()) if _NAMES.match(name)]


def _shown(name: str, value: str) -> str:
    if name.endswith("HEADERS"):  # name=value,name=value: the names help, the values are secrets
        names = [each.partition("=")[0].strip() for each in value.split(",") if "=" in each]
        return ",".join(each + "=***" for each in names) or "***"
    if _SECRET.search(name) and not value.startswith("/"):  # a path to a key is none
        return "***"
    return _CREDENTIALS.sub("//***@", value)
