"""The list of cores is read or refused with the part that is wrong."""

import pytest

from edge.cores import CoreAddress, parse_cores, parse_far


def test_cores_are_read() -> None:
    assert parse_cores("127.0.0.1:7001/8001, core-2:7002/8002,") == [
        CoreAddress("127.0.0.1", 7001, 8001),
        CoreAddress("core-2", 7002, 8002),
    ]
    assert parse_cores("") == []


@pytest.mark.parametrize(
    "text", ["127.0.0.1:7001", "127.0.0.1/8001", ":1/2", "h:x/1", "h:1/", "h:0/1", "h:1/70000"]
)
def test_what_is_no_core_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=text.replace(".", r"\.")):
        parse_cores(f"127.0.0.1:1/2,{text}")


def test_the_same_core_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        parse_cores("h:1/2,h:1/3")


def test_cores_of_other_regions_are_read_in_their_order() -> None:
    far = parse_far("us=h:1/2,h:3/4; ap=i:5/6")
    assert list(far) == ["us", "ap"]
    assert far["us"] == [CoreAddress("h", 1, 2), CoreAddress("h", 3, 4)]
    assert parse_far("") == {}


@pytest.mark.parametrize("text", ["us", "=h:1/2", "us=h:1/2;us=h:3/4"])
def test_what_is_no_region_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="no region"):
        parse_far(text)
