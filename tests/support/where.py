"""Where messages are looked after, as told by a test."""

from core.engine.whereabouts import Whereabouts
from sync.naming import home_of, log_name


class Where(Whereabouts):
    """`away` are urls of cores to be asked first; `closed` are homes that this region may not
    journal; of the regions `silent` nothing is heard."""

    def __init__(self, *homes: str) -> None:
        self.known = set(homes)
        self.closed: set[str] = set()
        self.away: list[str] = []
        self.silent: list[str] = []
        self.owner = ("", 0)

    def knows_home(self, message_id: str) -> bool:
        return home_of(message_id) in self.known

    def here(self, message_id: str) -> bool:
        return home_of(message_id) not in self.closed

    def urls(self, message_id: str) -> list[str]:
        return list(self.away)

    def owner_of(self, message_id: str) -> tuple[str, int]:
        return self.owner

    def region_of_log(self, log: str) -> str:
        return log_name(log).incarnation.rstrip("0123456789")

    def silent_regions(self, message_id: str) -> list[str]:
        return list(self.silent)
