"""What the three signals share: attributes, values, resources, instrumentation scopes.

Message and field names are those of opentelemetry/proto/common/v1/common.proto and resource/v1/resource.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_injection.otlp._wire import LEN, ONE, VARINT, double, int64, message, string, tag, utf8, varint

_KEYS_KEPT = 1024
_FIELDS_KEPT = 1024
_OBJECTS_KEPT = 64
_LONGEST_TEXT = 100
"""Characters of a text value up to which its encoded field is kept."""

_STRING = tag(1, LEN)
_DOUBLE = b"\x21"
_FALSE, _TRUE = tag(2, VARINT) + b"\x00", tag(2, VARINT) + b"\x01"
_INT = tag(3, VARINT)
_ARRAY = tag(5, LEN)
_KVLIST = tag(6, LEN)
_BYTES = tag(7, LEN)
_ELEMENT = tag(1, LEN)
_KEY = tag(1, LEN)
_VALUE = tag(2, LEN)

_keys: dict[str, bytes] = {}
_met: dict[str, int] = {}
"""By attribute: how many of its texts are kept. A limit keeps those that differ each time, such as paths, few."""
_VALUES_KEPT = 50
_fields: dict[bytes, dict[tuple[str, Any], bytes]] = {}
"""By the field's tag: encoded attributes. Texts alone are kept: as keys, 1 and True would be the same."""


def attributes(field_tag: bytes, values: Mapping[str, Any] | None) -> bytes:
    """Return the fields, one KeyValue each, of a message's attributes.

    A value that OTLP has no form for (an integer of more than 64 bits, another type) is left out, as by the official
    encoder.
    """
    if not values:
        return b""
    try:
        # Several times faster than walking the SDK's mapping, and safe while another thread changes it.
        values = values.copy()  # type: ignore[attr-defined]
    except AttributeError:
        pass
    kept = _fields.get(field_tag)
    if kept is None:
        kept = _fields[field_tag] = {}
    found: list[bytes | None]
    try:
        found = list(map(kept.get, values.items()))
    except Exception:  # a value without a hash
        found = [None] * len(values)
    if None in found:
        for place, (key, value) in enumerate(values.items()):
            if found[place] is None:
                found[place] = _field(field_tag, key, value, kept)
    return b"".join(found)  # type: ignore[arg-type]


def any_value(value: Any) -> bytes:
    """Return an AnyValue.

    :raises Exception: OTLP has no form for it: an integer of more than 64 bits, another type, endless nesting.
    """
    encode = _ENCODERS.get(type(value)) or _by_kind(value)
    return encode(value)


def resource(value: Resource) -> tuple[bytes, str]:
    """Return an encoded Resource and its schema URL."""
    return _kept(value, lambda: attributes(tag(1, LEN), value.attributes)), value.schema_url or ""


def scope(value: InstrumentationScope | None) -> tuple[bytes, str]:
    """Return an encoded InstrumentationScope and its schema URL."""
    if value is None:
        return b"", ""
    return _kept(value, lambda: _scope(value)), value.schema_url or ""


def request(
    items: Iterable[tuple[Resource, InstrumentationScope | None, Any]],
    encode: Callable[[Any], bytes],
    skip: Callable[[Exception], None],
) -> bytes:
    """Return an export request: spans, metrics or log records, grouped by resource and scope.

    The numbers of the fields are the same for the three signals. An item that ``encode`` raises for is left out, and
    ``skip`` is called with the exception.
    """
    groups: dict[tuple[int, int], tuple[Resource, InstrumentationScope | None, list[bytes]]] = {}
    for owner, origin, item in items:
        try:
            encoded = encode(item)
        except Exception as error:  # the other items are still sent
            skip(error)
            continue
        key = (id(owner), id(origin))
        if key not in groups:
            groups[key] = (owner, origin, [])
        groups[key][2].extend((_ITEM, varint(len(encoded)), encoded))
    resources: dict[tuple[bytes, str], dict[tuple[bytes, str], list[bytes]]] = {}
    for owner, origin, group in groups.values():
        resources.setdefault(resource(owner), {}).setdefault(scope(origin), []).extend(group)
    return b"".join([_resource_group(*key, scopes) for key, scopes in resources.items()])


_ITEM = tag(2, LEN)


def _resource_group(encoded: bytes, schema_url: str, scopes: Mapping[tuple[bytes, str], Sequence[bytes]]) -> bytes:
    parts = [message(tag(1, LEN), encoded)]
    for (origin, origin_schema_url), items in scopes.items():
        group = b"".join((message(tag(1, LEN), origin), *items, string(tag(3, LEN), origin_schema_url)))
        parts.append(message(_ITEM, group))
    parts.append(string(tag(3, LEN), schema_url))
    return message(tag(1, LEN), b"".join(parts))


def _scope(value: InstrumentationScope) -> bytes:
    return (
        string(tag(1, LEN), value.name) + string(tag(2, LEN), value.version) + attributes(tag(3, LEN), value.attributes)
    )


_objects: dict[int, tuple[object, bytes]] = {}


def _kept(value: object, encode: Callable[[], bytes]) -> bytes:
    """Return what was encoded before for this very object; it is kept alive, so that no other gets its id."""
    entry = _objects.get(id(value))
    if entry is None or entry[0] is not value:
        if len(_objects) >= _OBJECTS_KEPT:
            _objects.clear()
        entry = _objects[id(value)] = (value, encode())
    return entry[1]


def _field(field_tag: bytes, key: str, value: Any, kept: dict[tuple[str, Any], bytes]) -> bytes:
    """Return an attribute; nothing if OTLP has no form for it."""
    try:
        field = field_tag + (_text_pair(key, value) if type(value) is str else _pair(key, value))
        if type(value) is str and len(value) <= _LONGEST_TEXT and _met.get(key, 0) < _VALUES_KEPT:
            if len(kept) >= _FIELDS_KEPT:
                kept.clear()
                _met.clear()
            _met[key] = _met.get(key, 0) + 1
            kept[key, value] = field
    except Exception:
        return b""
    return field


def _text_pair(key: str, value: str) -> bytes:
    """Return what ``_pair`` does for a text, most of which are short."""
    head = _keys.get(key)
    encoded = value.encode("utf-8", "replace")
    size = len(encoded)
    if head is None or size > 123:
        return _pair(key, value)
    return b"".join((varint(len(head) + size + 3), head, ONE[size + 2], _STRING, ONE[size], encoded))


def _pair(key: str, value: Any) -> bytes:
    """Return a KeyValue with its length before it."""
    head = _keys.get(key)
    if head is None:
        head = message(_KEY, utf8(key)) + _VALUE
        if len(_keys) >= _KEYS_KEPT:
            _keys.clear()
        _keys[key] = head
    encoded = any_value(value)
    size = varint(len(encoded))
    return varint(len(head) + len(size) + len(encoded)) + head + size + encoded


def _by_kind(value: Any) -> Callable[[Any], bytes]:
    for kind, encode in _KINDS:
        if isinstance(value, kind):
            return encode
    raise TypeError(f"no form for {type(value).__name__}")


def _text(value: str) -> bytes:
    return message(_STRING, utf8(value))


def _bool(value: bool) -> bytes:
    return _TRUE if value else _FALSE


def _int(value: int) -> bytes:
    return _INT + (varint(value) if 0 <= value < 16384 else int64(value))


def _float(value: float) -> bytes:
    return _DOUBLE + double(value)


def _bytes(value: bytes) -> bytes:
    return message(_BYTES, value)


def _array(value: Sequence[Any]) -> bytes:
    return message(_ARRAY, b"".join([message(_ELEMENT, any_value(each)) for each in value]))


def _mapping(value: Mapping[Any, Any]) -> bytes:
    return message(_KVLIST, b"".join([_ELEMENT + _pair(str(key), each) for key, each in value.items()]))


_ENCODERS: dict[type, Callable[[Any], bytes]] = {
    str: _text,
    bool: _bool,
    int: _int,
    float: _float,
    bytes: _bytes,
    tuple: _array,
    list: _array,
    dict: _mapping,
    type(None): lambda _: b"",
}
_KINDS: tuple[tuple[type, Callable[[Any], bytes]], ...] = (
    (str, _text),
    (int, _int),
    (float, _float),
    (bytes, _bytes),
    (Sequence, _array),
    (Mapping, _mapping),
)
"""For subclasses, in the official encoder's order."""
