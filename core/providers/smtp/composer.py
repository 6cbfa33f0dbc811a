"""From a message to the mail that an account sends: composed, given its return path, signed."""

from collections.abc import Mapping

from msgspec.structs import replace

from core.clock import Clock
from core.providers.port import OutMessage
from core.providers.smtp.credentials import problems
from core.providers.smtp.date import DateHeader
from core.providers.smtp.dkim import Signer, read_key
from core.providers.smtp.mime import Mail, compose
from core.providers.smtp.settings import SmtpSettings
from core.providers.smtp.verp import Verp


class Composer:
    """One account's. `problem` says why its secrets cannot be used, "" where they can; nothing is
    composed with a problem. `slow` says that `sign` takes long enough to be kept off a loop."""

    def __init__(self, settings: SmtpSettings, secrets: Mapping[str, str], clock: Clock) -> None:
        self._origin = settings.origin()
        self._clock = clock
        self._date = DateHeader(clock)
        self._verp: Verp | None = None
        self._signer: Signer | None = None
        wrong = problems(settings, secrets)
        self.problem = wrong[0].detail if wrong else ""
        if self.problem:
            return
        if settings.bounce_domain:
            self._verp = Verp(settings.bounce_domain, secrets["bounce_key"])
        if settings.dkim_domain:
            key = read_key(secrets["dkim_key"])
            self._signer = Signer(settings.dkim_domain, settings.dkim_selector, key)

    @property
    def slow(self) -> bool:
        return self._signer is not None and self._signer.slow

    def compose(self, message: OutMessage) -> Mail:
        """The mail without a signature. Raises UnsendableError."""
        mail = compose(message, self._origin, self._date.now())
        path = self._verp.address(message.ref) if self._verp else ""
        return replace(mail, sender=path) if path else mail

    def sign(self, mail: Mail) -> Mail:
        """The mail as it goes out, signed where there is a key. May be called in any thread."""
        if self._signer is None:
            return mail
        signature = self._signer.signature(mail.data, self._clock.wall_ms() // 1_000)
        return replace(mail, data=signature + mail.data)
