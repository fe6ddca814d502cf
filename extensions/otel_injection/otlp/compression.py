"""The compressions of a request's body; the names are those of ``OTEL_EXPORTER_OTLP_COMPRESSION``."""

from __future__ import annotations


def compressed(body: bytes, compression: str) -> bytes:
    """Return the body by ``gzip``, ``deflate`` or ``none``."""
    if compression == "none":
        return body
    import zlib  # a Python may be built without it

    if compression == "deflate":
        return zlib.compress(body)
    gzip = zlib.compressobj(wbits=31)
    return gzip.compress(body) + gzip.flush()
