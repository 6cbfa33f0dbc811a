"""Settings of views, lists and replays."""

from typing import Annotated

from core.contract.sections.kinds import Positive, Section, doc


class ViewsSettings(Section, frozen=True):
    """Lists of messages: what one page reads at most, and how replays go on."""

    open_after_ms: Annotated[
        Positive, doc("A message that is open for longer than this is listed as open.")
    ] = 1000
    parts_read_max: Annotated[
        Positive, doc("Hours (of a search: days) that one page reads; then it ends early.")
    ] = 200
    segments_read_max: Annotated[Positive, doc("Segments that one page reads.")] = 5000
    rows_read_max: Annotated[Positive, doc("Rows that one page looks up.")] = 5000
    replay_save_ms: Annotated[Positive, doc("How often a replay writes down how far it is.")] = 1000
    replay_claim_ms: Annotated[
        Positive, doc("A replay that was not written down for so long is taken up by another core.")
    ] = 6000
