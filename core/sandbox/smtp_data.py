"""The data block of SMTP, from 354 to the lone dot. Pure."""

_END = b"\r\n.\r\n"


class DataBlock:
    """Finds the end of one data block in what has come.

    Beyond the limit the data is passed over, so that no more than that is held.
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._scanned = 0
        self.oversized = False

    def begin(self, buffer: bytearray) -> None:
        """The buffer holds what came behind the line DATA."""
        # As if a line had ended just now: so a lone dot in the first line ends the data too.
        buffer[0:0] = b"\r\n"

    def take(self, buffer: bytearray) -> bytes | None:
        """The data without its stuffed dots, taken out of the buffer; None if it goes on."""
        end = buffer.find(_END, self._scanned)
        if end < 0:
            if len(buffer) > self._bytes_max + 2 * len(_END):
                self.oversized = True
                del buffer[: -len(_END)]
            self._scanned = max(0, len(buffer) - len(_END))
            return None
        data = bytes(buffer[: end + 2]).replace(b"\r\n..", b"\r\n.")[2:]
        del buffer[: end + len(_END)]
        self.oversized = self.oversized or len(data) > self._bytes_max
        return data
