"""How much of a write has begun, whatever the kernel takes of it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from core.providers.smpp import codec
from core.providers.smpp.outlet import PlainOutlet


class Kernel:
    """A socket that takes only so many bytes, and the transport that keeps the rest."""

    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.sent = b""
        self.buffered = b""

    def send(self, data: bytes) -> int:
        if not self.takes:
            raise BlockingIOError
        self.sent += data[: self.takes]
        return len(self.sent)

    def write(self, data: bytes) -> None:
        self.buffered += data

    def set_write_buffer_limits(self, **limits: int) -> None:
        assert limits == {"high": 0}


@given(st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=6), st.integers(0, 200))
def test_only_the_rest_of_what_began_is_buffered(chunks: list[bytes], takes: int) -> None:
    kernel: Any = Kernel(takes)
    begun = PlainOutlet(kernel, kernel).begin(chunks)
    whole = b"".join(chunks)
    if takes >= len(whole):
        assert (begun, kernel.sent, kernel.buffered) == (len(chunks), whole, b"")
        return
    ends = [sum(map(len, chunks[: count + 1])) for count in range(len(chunks))]
    assert begun == (sum(end <= takes for end in ends) + (takes not in [0, *ends]))
    if takes in (0, *ends):
        # Something must be in the buffer, so that the transport says when the kernel has room.
        doorbell = codec.PduReader().feed(kernel.buffered)
        assert [pdu.command for pdu in doorbell] == [codec.ENQUIRE_LINK]
        assert kernel.sent == b"".join(chunks[:begun])
    else:
        assert kernel.sent + kernel.buffered == b"".join(chunks[:begun])
