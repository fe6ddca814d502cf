"""Our decoder of HPACK's Huffman code gives the same results as hpack's."""

from __future__ import annotations

import pytest
from hpack.exceptions import HPACKDecodingError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman as theirs
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otel_injection.stand_ins.for_huffman_table import decode_huffman
from tests.unit.examples import examples


@given(st.binary(max_size=200))
def test_a_text_comes_back(text: bytes) -> None:
    assert decode_huffman(HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode(text)) == text


@settings(max_examples=examples(500))
@example(b"\xff\xff\xff\xff")
@example(b"\xff")
@example(b"")
@given(st.binary(max_size=12))
def test_any_bytes_are_decoded_or_refused_as_by_the_other(code: bytes) -> None:
    try:
        expected = theirs(code)
    except HPACKDecodingError:
        with pytest.raises(HPACKDecodingError):
            decode_huffman(code)
    else:
        assert decode_huffman(code) == expected
