"""The store of several regions: what is tried again until it stands, and what is refused."""

from pathlib import Path

import pytest
from cassandra import AuthenticationFailed

from core.contract.settings import load
from core.supervisor import store_opening
from core.supervisor.folder import DataFolder, FolderError
from core.supervisor.installation import STORE_OPENED, Installation, region_env
from core.supervisor.seed import Keys
from core.supervisor.store_opening import Opening, open_store
from sync.store.port import StoreError


class Making:
    """Stands in for the store: fails as told, then stands."""

    def __init__(self, *failures: BaseException | None) -> None:
        self.left = list(failures)
        self.told: list[str] = []

    async def make(self, opening: Opening, tell: object) -> None:
        if self.left:
            raise StoreError("the store cannot be made: why") from self.left.pop(0)

    async def nodes_answer(self, opening: Opening, tell: object) -> None:
        return


@pytest.fixture
def opening(tmp_path: Path) -> Opening:
    names = ["eu", "us", "ap"]
    settings = load(None, region_env(names, "eu"))
    known = Installation(names, {}, {}, {})
    return Opening(settings, DataFolder(tmp_path), known, Keys("a", "b"), None, {}, "")


def stand_in(making: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_opening, "_AGAIN_S", 0.01)
    monkeypatch.setattr(store_opening, "_make", making.make)
    monkeypatch.setattr(store_opening, "_until_nodes_answer", making.nodes_answer)


async def test_nodes_that_are_slow_are_asked_again_and_that_is_told_once(
    opening: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    making = Making(TimeoutError(), OSError(), TimeoutError())
    stand_in(making, monkeypatch)
    await open_store(opening, making.told.append)
    assert making.told == ["the store cannot be made: why; trying again"]
    assert opening.folder.read_json(STORE_OPENED) == {"opened": True}


@pytest.mark.parametrize("cause", [None, AuthenticationFailed("wrong password")])
async def test_what_no_repeat_mends_ends_the_start(
    opening: Opening, monkeypatch: pytest.MonkeyPatch, cause: BaseException | None
) -> None:
    making = Making(cause)
    stand_in(making, monkeypatch)
    with pytest.raises(FolderError, match=r"the store on Cassandra is not made: .* why"):
        await open_store(opening, making.told.append)
    assert opening.folder.read_json(STORE_OPENED) is None
