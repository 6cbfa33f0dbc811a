"""Giving a shard to another core, and having got one that a living core gave (PROTOCOL.md 7).

While a shard is being given nothing of it is sent, ended or told: the other core may already have
read what stands, and more. Calls that run go on; what comes of them is written as ever. One who
got a shard waits with what is in doubt until the giver's calls must have ended, and reads on in the
giver's effect log meanwhile: an outcome there settles it.
"""

from sync.owner.elsewhere import Elsewhere
from sync.owner.sending import IDLE
from sync.owner.state import Changed, Offer, Phase

_UNDER_WAY = frozenset({Phase.INTENT, Phase.CALLING, Phase.SETTLING, Phase.ENDING})


class Handing(Elsewhere):
    """The events of a hand-over, for the one who gives and for the one who gets."""

    def stop_sending(self, shard: int) -> None:
        """No first byte of this shard any more, and no end."""
        if shard in self.shards:
            self.shards[shard].giving = True

    def under_way(self, shard: int) -> bool:
        """Whether effects of the shard are being written, or calls of it run."""
        return any(msg.shard == shard and msg.phase in _UNDER_WAY for msg in self.msgs.values())

    def rename(self, shard: int, epoch: int) -> None:
        """The shard is kept, under a new epoch: the next floor names it. Then `resume`."""
        if shard in self.shards:
            self.shards[shard].epoch = epoch

    def resume(self, shard: int, now_ms: int) -> None:
        """A floor names the new epoch of a shard that was kept: what waits goes on."""
        if shard not in self.shards:
            return
        state = self.shards[shard]
        state.giving = False
        untold, state.untold = state.untold, {}
        self.out += [Changed(msg) for msg in untold.values()]
        for msg in [m for m in self.msgs.values() if m.shard == shard]:
            if msg.phase is Phase.OFFERED:
                self.out.append(Offer(msg))
            elif msg.phase is Phase.DOUBT:
                self.doubt(msg)
            elif msg.phase in IDLE:
                self.again(msg, now_ms)

    def inherit(self, shards: set[int], until_ms: int) -> None:
        """These shards were given by a core that may live: its calls end by then."""
        for shard in shards & self.shards.keys():
            self.shards[shard].inherited_until_ms = until_ms
