"""The few parts of protobuf's wire format that OTLP needs.

A message is a series of fields; each is a tag (field number and wire type), then its value. Fields with their default
value are left out, as proto3 has it. See https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

VARINT = 0
FIXED64 = 1
LEN = 2
FIXED32 = 5

ONE = tuple(bytes((number,)) for number in range(128))
"""The varints of one byte."""

_MASK = (1 << 64) - 1
fixed64 = struct.Struct("<Q").pack
sfixed64 = struct.Struct("<q").pack
double = struct.Struct("<d").pack


def tag(field: int, wire_type: int) -> bytes:
    """Return the tag of a field, made once per field at import."""
    return varint(field << 3 | wire_type)


def varint(number: int) -> bytes:
    """Return a number that is not negative, in seven bits per byte, the lowest first."""
    if number < 128:
        return ONE[number]
    if number < 16384:
        return (number & 127 | 128 | number >> 7 << 8).to_bytes(2, "little")
    if number < 2097152:
        return (number & 127 | 128 | (number >> 7 & 127 | 128) << 8 | number >> 14 << 16).to_bytes(3, "little")
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def int64(number: int) -> bytes:
    """Return a signed number of 64 bits as a varint; a negative one takes ten bytes.

    :raises OverflowError: it has more than 64 bits.
    """
    if 0 <= number < 128:
        return ONE[number]
    if not -(1 << 63) <= number < 1 << 63:
        raise OverflowError("more than 64 bits")
    return varint(number & _MASK)


def sint32(number: int) -> bytes:
    """Return a signed number in zigzag encoding, in which small negative numbers are short."""
    return varint((number << 1) ^ (number >> 31))


def utf8(text: str) -> bytes:
    """Return text as UTF-8; lone surrogates, which UTF-8 cannot hold, become question marks."""
    return text.encode("utf-8", "replace")


def message(field_tag: bytes, payload: bytes) -> bytes:
    """Return a field that holds bytes or an encoded message, also if it is empty."""
    return field_tag + varint(len(payload)) + payload


def string(field_tag: bytes, text: str | None) -> bytes:
    """Return a text field, or nothing for no or an empty text."""
    return message(field_tag, utf8(text)) if text else b""


def uint(field_tag: bytes, number: int | None) -> bytes:
    """Return a field with a number that is not negative, or nothing for 0."""
    return field_tag + varint(number) if number else b""


def time(field_tag: bytes, nanoseconds: int | None) -> bytes:
    """Return a fixed64 field (times and counts), or nothing for 0."""
    return field_tag + fixed64(nanoseconds) if nanoseconds else b""


def fields(payload: bytes) -> Iterable[tuple[int, int | bytes]]:
    """Read a message: yield each field's number with its value, a number or bytes.

    :raises ValueError: these bytes are no message.
    """
    position, end = 0, len(payload)
    while position < end:
        key, position = _read_varint(payload, position)
        wire_type = key & 7
        if wire_type == VARINT:
            number, position = _read_varint(payload, position)
            yield key >> 3, number
            continue
        if wire_type == LEN:
            size, position = _read_varint(payload, position)
        elif wire_type in (FIXED64, FIXED32):
            size = 8 if wire_type == FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire_type}")
        if size > end - position:
            raise ValueError("truncated")
        yield key >> 3, payload[position : position + size]
        position += size


def _read_varint(payload: bytes, position: int) -> tuple[int, int]:
    number = shift = 0
    while shift < 70:
        if position >= len(payload):
            raise ValueError("truncated")
        byte = payload[position]
        position += 1
        number |= (byte & 127) << shift
        if byte < 128:
            return number, position
        shift += 7
    raise ValueError("varint too long")
