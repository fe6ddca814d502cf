"""Makes TLS contexts: which authorities to trust, and which client certificate to show."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from otel_injection.otlp.exporter_settings import Settings, UnusableError
from otel_injection.settings import early

if TYPE_CHECKING:
    from ssl import SSLContext


def context(settings: Settings, protocol: str) -> SSLContext:
    """Return a context that negotiates ``protocol``.

    It is made from the files as they are now, since certificates are renewed while processes run. Like by the official
    exporter, the variables of the ``requests`` package are heard where there is no setting.

    :raises UnusableError: a file cannot be used.
    """
    import ssl

    trusted = settings.certificate or early.text("REQUESTS_CA_BUNDLE") or early.text("CURL_CA_BUNDLE")
    file: str | None = trusted
    try:
        if trusted and os.path.isdir(trusted):
            made = ssl.create_default_context(capath=trusted)
        else:
            made = ssl.create_default_context(cafile=trusted)
        file = settings.client_certificate
        if file:
            file = f"{file}' or '{settings.client_key}" if settings.client_key else file
            # With a password, even an empty one, a locked key is an error; without, a question in the app's terminal.
            made.load_cert_chain(settings.client_certificate or "", settings.client_key, password="")
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise UnusableError(
            f"the certificate file '{file}' cannot be used ({why}); check OTEL_EXPORTER_OTLP_CERTIFICATE, "
            "OTEL_EXPORTER_OTLP_CLIENT_KEY and OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"
        ) from None
    made.set_alpn_protocols([protocol])
    return made
