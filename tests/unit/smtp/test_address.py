"""What may be written between angle brackets, and what may not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.providers.smtp.address import BadAddressError, parse_mailbox, parse_sender

GOOD = [
    "a@b",
    "ann.lee+tag@mail.example.co.uk",
    "o'neil@example.com",
    "a..b.@docomo.ne.jp",
    "x@xn--r8jz45g.jp",
    "x@[192.0.2.1]",
    "x@[IPv6:2001:db8::1]",
    "x_y@under_score.example",
]
BAD = [
    "",
    "a",
    "@b.c",
    "a@",
    "a@b@c",
    "a b@c.d",
    "a@b c",
    "<a@b.c>",
    "a@b.c>",
    "a@b..c",
    "a@.b",
    "a@b.",
    "a@-b.c",
    "a,b@c.d",
    '"a b"@c.d',
    "a\\@b.c",
    "a@b.c SIZE=1",
    "a@b.c\n",
    "\na@b.c",
    "a@b.c\r\nRCPT TO:<e@f.g>",
    "ä\u00a0b@c.d",
    "ä\u2028@c.d",
    "ä>@c.d",
    "ä@b..c",
    "ä@",
    "ä" * 33 + "@b.c",
    "a" * 65 + "@b.c",
    "a@" + "b." * 130 + "c",
]


@pytest.mark.parametrize("text", GOOD)
def test_good_addresses(text: str) -> None:
    box = parse_mailbox(text)
    assert (box.address, box.utf8) == (text, False)


@pytest.mark.parametrize("text", ["änn@example.net", "ann@例え.jp", "用户@例え.jp"])
def test_international_addresses(text: str) -> None:
    assert parse_mailbox(text).utf8


@pytest.mark.parametrize("text", BAD)
def test_bad_addresses(text: str) -> None:
    with pytest.raises(BadAddressError) as raised:
        parse_mailbox(text)
    assert len(text) < 3 or text not in str(raised.value)


@settings(deadline=None)
@given(st.text(max_size=40) | st.text("a@.<> \r\n\"',;:é", max_size=12))
def test_what_passes_is_safe_to_write(text: str) -> None:
    try:
        box = parse_mailbox(text)
    except BadAddressError:
        return
    assert box.address == text
    assert text.isprintable()
    assert not set(text) & set(' <>,;"\\()')


def test_a_sender_with_a_name() -> None:
    box = parse_sender('"Ann \\"the\\" Lee" <ann@example.com>')
    assert (box.name, box.address) == ('Ann "the" Lee', "ann@example.com")
    assert parse_sender("ann@example.com").name == ""
    for bad in ("Ann <>", "Ann <a@b> <c@d>", "<a@b", "x" * 600 + " <a@b.c>"):
        with pytest.raises(BadAddressError):
            parse_sender(bad)
