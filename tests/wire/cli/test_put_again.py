"""What a command showed is put again as it was shown, and as of the version that was seen."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.cli.main import main
from tests.wire.cli.test_client_commands import ACCOUNT, POLICY, Region, region

__all__ = ["region"]


@pytest.mark.parametrize("secrets", [["password"], {"password": "new"}])
def test_an_account_is_put_as_it_was_shown(region: Region, tmp_path: Path, secrets: Any) -> None:
    region.answers["PUT", "/v1/providers/a"] = 200, ACCOUNT
    file = tmp_path / "a.json"
    file.write_text(json.dumps({**ACCOUNT, "secrets": secrets}))
    assert main(["providers", "put", str(file)]) == 0
    _, _, headers, body = region.asked[-1]
    assert headers["If-Match"] == '"9"'
    kept = {name: ACCOUNT[name] for name in ACCOUNT if name not in ("state", "version", "secrets")}
    assert body == (kept if isinstance(secrets, list) else {**kept, "secrets": secrets})


def test_a_policy_is_put_as_it_was_shown(region: Region, tmp_path: Path) -> None:
    region.answers["PUT", "/v1/policies/default"] = 200, POLICY
    file = tmp_path / "p.json"
    file.write_text(json.dumps({**POLICY, "missing": ["old"]}))
    assert main(["policies", "put", str(file)]) == 0
    _, _, headers, body = region.asked[-1]
    assert headers["If-Match"] == '"3"'
    assert body == {name: POLICY[name] for name in POLICY if name != "version"}
