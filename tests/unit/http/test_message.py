"""URLs and header fields become bytes, and nothing breaks out of its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.providers.http import BadUrlError, HttpRequest, field_lines, target_of
from core.providers.http.message import written


@pytest.mark.parametrize(
    ("url", "key", "line", "host"),
    [
        ("https://example.com", (True, "example.com", 443), "/", "example.com"),
        ("http://Example.COM:80/a", (False, "example.com", 80), "/a", "example.com"),
        ("https://e.example:8443/a?b=c", (True, "e.example", 8443), "/a?b=c", "e.example:8443"),
        ("http://e.example./", (False, "e.example", 80), "/", "e.example"),
        ("https://[2001:DB8::1]:444/", (True, "2001:db8::1", 444), "/", "[2001:db8::1]:444"),
        ("https://bücher.example/ü", (True, "xn--bcher-kva.example", 443), "/%C3%BC", ""),
        ("http://e.example/a#fragment", (False, "e.example", 80), "/a", "e.example"),
    ],
)
def test_a_target(url: str, key: tuple[bool, str, int], line: str, host: str) -> None:
    target = target_of(url)
    assert (target.tls, target.host, target.port) == key == target.key
    text = target.lines.decode()
    assert text.startswith(f" {line} HTTP/1.1\r\nHost: {host or key[1]}\r\n")
    assert text.endswith("\r\n")


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.com", "ftp://example.com/", "http://", "http:///x", "http://u@e.example/"),
        *("http://u:p@e.example/", "http://e.example:0/", "http://e.example:99999/"),
        *("http://e.example:x/", "http://e exa.example/", "http://e\texa.example/\x00"),
        *("http://[::1/", "http://e%2eexample/", "http://[fe80::1%25eth0]/", "javascript:x"),
    ],
)
def test_what_cannot_be_called(url: str) -> None:
    with pytest.raises(BadUrlError) as refused:
        target_of(url)
    assert not url or url not in str(refused.value)


@given(st.text(max_size=60))
def test_no_path_breaks_out_of_the_request_line(path: str) -> None:
    try:
        target = target_of(f"http://e.example/{path}")
    except BadUrlError:
        return
    lines = target.lines.decode("ascii").split("\r\n")
    assert [line.split(" ")[0] for line in lines[1:]] == ["Host:", "User-Agent:", ""]
    assert lines[0].count(" ") == 2


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3))
def test_no_field_breaks_out_of_its_line(fields: dict[str, str]) -> None:
    try:
        data = field_lines(fields)
    except ValueError:
        return
    assert data.count(b"\n") == data.count(b"\r") == len(fields)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("Host", "x"), ("content-length", "1"), ("Transfer-Encoding", "chunked")),
        *(("Connection", "close"), ("a b", "x"), ("a:", "x"), ("", "x"), ("a", "x\r\ny: z")),
        *(("a", "\x00"), ("a", "ü")),
    ],
)
def test_fields_that_are_not_the_callers(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=r"header field"):
        field_lines({name: value})


def test_a_request_on_the_wire() -> None:
    target = target_of("http://e.example/x")
    request = HttpRequest(target, field_lines({"a": "b"}), b"body")
    assert written(request) == (
        b"POST /x HTTP/1.1\r\nHost: e.example\r\nUser-Agent: GouTong/1\r\na: b\r\n"
        b"Content-Length: 4\r\n\r\nbody"
    )
