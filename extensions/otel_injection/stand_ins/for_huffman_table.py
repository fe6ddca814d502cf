"""Stands in for ``hpack.huffman_table``, a table of 0.7 MB: decodes HPACK's Huffman code (RFC 7541, section 5.2).

It takes a few microseconds more for each header of a response, of which each export has a handful.
"""

from __future__ import annotations

from hpack.exceptions import HPACKDecodingError
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

_END = 256
"""The symbol for the end of a text: its first bits pad the last byte."""

_symbols = {
    (length, code): symbol
    for symbol, (code, length) in enumerate(zip(REQUEST_CODES, REQUEST_CODES_LENGTH, strict=True))
}


def decode_huffman(huffman_string: bytes | bytearray | memoryview | None) -> bytes:
    """Return the decoded text. Raises HPACKDecodingError if the code is invalid or ends within a symbol."""
    decoded = bytearray()
    code = length = 0
    for byte in bytes(huffman_string or b""):
        for position in range(7, -1, -1):
            code, length = code << 1 | byte >> position & 1, length + 1
            symbol = _symbols.get((length, code))
            if symbol == _END:
                raise HPACKDecodingError("Invalid Huffman string")
            if symbol is not None:
                decoded.append(symbol)
                code = length = 0
    if length > 7 or code != (1 << length) - 1:
        raise HPACKDecodingError("Incomplete Huffman string")
    return bytes(decoded)
