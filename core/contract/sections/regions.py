"""Settings that all regions of an installation share: which there are."""

from typing import Annotated

import msgspec

from core.contract.sections.kinds import Section, doc

RegionName = Annotated[str, msgspec.Meta(pattern="^[a-z][a-z0-9]{0,15}$")]


class RegionsSettings(Section, frozen=True):
    """The regions of the installation."""

    names: Annotated[
        list[RegionName],
        doc(
            "All regions, this one among them, in the same order everywhere; the first is home to "
            "whatever the placement map names no other for. Empty: this region alone."
        ),
    ] = []
