"""Batches are cut into the same items however they come in pieces."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.items import Cutter, Elements, Lines

MAX = 200
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text('{}[],"\\ab', max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)


def cut(cutter: Cutter, body: bytes, sizes: list[int]) -> list[bytes | None]:
    found: list[bytes | None] = []
    for size in [*sizes, len(body)]:
        found += cutter.feed(body[:size])
        body = body[size:]
    return found + cutter.end()


@given(st.lists(values, max_size=8), st.lists(st.integers(0, 9)), st.sampled_from([None, 1]))
def test_elements_come_out_as_they_were_put_in(
    given: list[Any], sizes: list[int], indent: int | None
) -> None:
    cutter = Elements(10_000)
    items = cut(cutter, json.dumps(given, indent=indent).encode(), sizes)
    assert not cutter.fault
    assert [json.loads(item or b"") for item in items] == given


@given(st.lists(values, min_size=1, max_size=8), st.lists(st.integers(0, 9)), st.booleans())
def test_lines_come_out_as_they_were_put_in(
    given: list[Any], sizes: list[int], ended: bool
) -> None:
    text = "\r\n\n".join(json.dumps(one) for one in given) + "\n" * ended
    items = cut(Lines(10_000), text.encode(), sizes)
    assert [json.loads(item or b"") for item in items] == given


@given(st.binary(max_size=60) | st.text('[]{},"\\ a1', max_size=60).map(str.encode))
def test_any_bytes_in_any_pieces_give_the_same(body: bytes) -> None:
    for kind in (Lines, Elements):
        whole, single = kind(MAX), kind(MAX)
        items = cut(whole, body, [])
        assert cut(single, body, [1] * len(body)) == items
        assert single.fault == whole.fault


@given(st.lists(values, min_size=1, max_size=5), st.data())
def test_an_array_cut_off_says_so_and_gives_what_was_whole(given: list[Any], data: Any) -> None:
    body = json.dumps(given).encode()
    length = data.draw(st.integers(1, len(body) - 1))
    cutter = Elements(10_000)
    items = cut(cutter, body[:length], [])
    assert [json.loads(item or b"") for item in items] == given[: len(items)]
    assert len(items) < len(given)
    assert f"byte {length}" in cutter.fault


@pytest.mark.parametrize(
    ("body", "items", "fault"),
    [
        (b"", [], "empty"),
        (b"  \n", [], "empty"),
        (b' {"to": 1}', [], "at byte 1 is no bracket"),
        (b"[]", [], ""),
        (b"[ ] \n", [], ""),
        (b"[1,]", [b"1"], "before byte 3"),
        (b"[,1]", [], "before byte 1"),
        (b"[1,,2]", [b"1"], "before byte 3"),
        (b"[1] x", [b"1"], "from byte 4"),
        (b"[1][2]", [b"1"], "from byte 3"),
        (b"[oops, {]}, 3]", [b"oops", b"{]}", b"3"], ""),
    ],
)
def test_the_form_of_an_array(body: bytes, items: list[bytes], fault: str) -> None:
    cutter = Elements(MAX)
    assert cut(cutter, body, []) == items
    assert fault in cutter.fault
    assert bool(fault) == bool(cutter.fault)


@pytest.mark.parametrize("sizes", [[], [7] * 100])
def test_an_item_that_is_too_long_is_passed_over(sizes: list[int]) -> None:
    long = b'"' + b"x" * MAX + b'"'
    assert cut(Lines(MAX), b"1\n" + long + b"\n2", sizes) == [b"1", None, b"2"]
    assert cut(Elements(MAX), b"[1, " + long + b",2]", sizes) == [b"1", None, b"2"]
