"""The vault: seals what only the same key, account and field open again, and says what is wrong."""

import base64
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tenants.vault import VARIABLE, Vault, VaultError, create_vault_key, load_vault

KEY = bytes(range(32))
CANARY = "c4nary-secret"


def in_base64(key: bytes) -> str:
    return base64.b64encode(key).decode()


@given(st.text(), st.text(), st.text())
def test_what_was_sealed_opens_for_the_same_place_alone(owner: str, field: str, text: str) -> None:
    vault = Vault(KEY)
    sealed = vault.seal(owner, field, text)
    assert vault.unseal(owner, field, sealed) == text
    for other_owner, other_field in ((owner + "x", field), (owner, field + "x")):
        with pytest.raises(VaultError):
            vault.unseal(other_owner, other_field, sealed)


def test_the_same_secret_never_looks_the_same() -> None:
    vault = Vault(KEY)
    sealed = {vault.seal("a", "password", CANARY) for _ in range(50)}
    assert len(sealed) == 50
    assert not any(CANARY in one or in_base64(CANARY.encode()) in one for one in sealed)


def test_another_key_says_which_is_needed() -> None:
    sealed = Vault(KEY).seal("a", "password", CANARY)
    other = Vault(KEY[::-1])
    with pytest.raises(VaultError, match=f"{Vault(KEY).key_id}.*{other.key_id}") as error:
        other.unseal("a", "password", sealed)
    assert VARIABLE in str(error.value)
    assert CANARY not in str(error.value)


@pytest.mark.parametrize("at", range(0, 60, 7))
def test_a_changed_byte_is_noticed(at: int) -> None:
    vault = Vault(KEY)
    head, data = vault.seal("a", "f", CANARY).rsplit(".", 1)
    raw = bytearray(base64.b64decode(data))
    raw[at % len(raw)] ^= 1
    with pytest.raises(VaultError, match="enter it again"):
        vault.unseal("a", "f", f"{head}.{in_base64(bytes(raw))}")


@pytest.mark.parametrize("sealed", ["", "v1", "v2.x.y", "v1.{id}.", "v1.{id}.!", "v1.{id}.AAAA"])
def test_what_is_not_sealed_text_is_an_error(sealed: str) -> None:
    vault = Vault(KEY)
    with pytest.raises(VaultError):
        vault.unseal("a", "f", sealed.replace("{id}", vault.key_id))


def test_the_variable_wins_over_the_file(tmp_path: Path) -> None:
    create_vault_key(tmp_path / "vault.key")
    assert load_vault(in_base64(KEY), tmp_path / "vault.key").key_id == Vault(KEY).key_id
    assert load_vault(f" {in_base64(KEY)}\n", tmp_path / "vault.key").key_id == Vault(KEY).key_id
    for bad in ("x", in_base64(KEY[:16]), "not base64!"):
        vault = load_vault(bad, tmp_path / "vault.key")
        assert vault.problem == f"{VARIABLE} is not 32 bytes in base64"


def test_a_file_is_made_once_and_for_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    old = os.umask(0)
    try:
        assert create_vault_key(path) is True
    finally:
        os.umask(old)
    first = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert create_vault_key(path) is False
    assert path.read_bytes() == first
    assert list(tmp_path.iterdir()) == [path]
    sealed = load_vault(None, path).seal("a", "f", CANARY)
    assert load_vault(None, path).unseal("a", "f", sealed) == CANARY


def test_without_a_usable_key_a_vault_says_why(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    missing = load_vault(None, path)
    assert missing.problem == f"vault key missing: set {VARIABLE} or put it in {path}"
    create_vault_key(path)
    path.chmod(0o640)
    readable = load_vault(None, path)
    assert "may be read by others (mode 0640): chmod 600" in readable.problem
    path.chmod(0o600)
    path.write_bytes(b"\xff not a key")
    broken = load_vault("", path)
    assert "is not 32 bytes in base64" in broken.problem
    folder = load_vault(None, tmp_path)
    assert "cannot be used" in folder.problem
    for vault in (missing, readable, broken, folder):
        with pytest.raises(VaultError) as error:
            vault.seal("a", "f", CANARY)
        assert str(error.value) == vault.problem
        with pytest.raises(VaultError):
            vault.unseal("a", "f", "v1.x.y")


def test_nothing_shows_the_key() -> None:
    vault = Vault(KEY)
    assert repr(vault) == f"Vault(key_id='{vault.key_id}', problem='')"
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(KEY[:5])
    with pytest.raises(ValueError, match="or a problem"):
        Vault(None)
