"""Secrets at rest: sealed with a key that is not in the store.

Each secret is sealed by AES-256-GCM under a random nonce, bound to what it belongs to (account and
field), so a sealed text that was moved to another account does not open. A sealed text is
`v1.<key id>.<base64 of nonce and ciphertext>`; the key id says which key opens it, so that keys
can be changed later.

The vault's key is 32 bytes in base64, in GOUTONG_VAULT_KEY or in a file that only its owner may
read. `load_vault` never fails: without a usable key it gives a vault that opens nothing and says
why (`problem`), so that everything else can start. `seal` and `unseal` raise `VaultError`, whose
text is fit for logs and answers: it never holds a secret or a key.
"""

import base64
import binascii
import hashlib
import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VARIABLE = "GOUTONG_VAULT_KEY"
_VERSION = "v1"
_KEY_BYTES = 32
_NONCE_BYTES = 12
_FILE_BYTES_MAX = 4096


class VaultError(Exception):
    """Nothing can be sealed or opened; the text says why and what to do."""


class Vault:
    """Seals and opens. `problem` is empty, or says why this vault cannot."""

    def __init__(self, key: bytes | None, problem: str = "") -> None:
        if (key is None) != bool(problem) or (key is not None and len(key) != _KEY_BYTES):
            raise ValueError(f"a vault has a key of {_KEY_BYTES} bytes, or a problem")
        self.problem = problem
        self._cipher = AESGCM(key) if key else None
        self._key = key
        self.key_id = hashlib.sha256(b"goutong vault key\0" + key).hexdigest()[:8] if key else ""

    def __repr__(self) -> str:
        return f"Vault(key_id={self.key_id!r}, problem={self.problem!r})"

    def derived(self, purpose: str) -> bytes | None:
        """A key of 32 bytes that is good for this purpose alone; None without a vault key."""
        if self._key is None:
            return None
        return HKDF(SHA256(), _KEY_BYTES, salt=None, info=purpose.encode()).derive(self._key)

    def seal(self, owner: str, field: str, secret: str) -> str:
        """The secret as it may be stored for this field of this owner."""
        if self._cipher is None:
            raise VaultError(self.problem)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, secret.encode(), _bound_to(owner, field))
        return f"{_VERSION}.{self.key_id}.{base64.b64encode(nonce + sealed).decode()}"

    def unseal(self, owner: str, field: str, sealed: str) -> str:
        """The secret that was sealed for this field of this owner."""
        if self._cipher is None:
            raise VaultError(self.problem)
        version, key_id, data = [*sealed.split("."), "", "", ""][:3]
        if version != _VERSION:
            raise VaultError(f"`{field}` is sealed in an unknown way; enter it again")
        if key_id != self.key_id:
            raise VaultError(
                f"`{field}` was sealed with the vault key {key_id}, the one here is {self.key_id}: "
                f"set {VARIABLE} to the former key, or enter the credentials again"
            )
        try:
            raw = base64.b64decode(data, validate=True)
            bound = _bound_to(owner, field)
            return self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], bound).decode()
        except (InvalidTag, ValueError):
            detail = f"`{field}` was changed in the store or belongs elsewhere; enter it again"
            raise VaultError(detail) from None


def load_vault(variable: str | None, path: Path) -> Vault:
    """The vault of the key in the variable's value, or else in the file."""
    if variable:
        key = _decoded(variable)
        if key is None:
            return Vault(None, f"{VARIABLE} is not {_KEY_BYTES} bytes in base64")
        return Vault(key)
    try:
        text = _read_private(path)
    except FileNotFoundError:
        return Vault(None, f"vault key missing: set {VARIABLE} or put it in {path}")
    except (OSError, VaultError) as error:
        return Vault(None, f"vault key cannot be used: {error}")
    key = _decoded(text)
    if key is None:
        return Vault(None, f"vault key cannot be used: {path} is not {_KEY_BYTES} bytes in base64")
    return Vault(key)


def create_vault_key(path: Path) -> bool:
    """Make the key's file if there is none; False if there is. It appears whole or not at all."""
    new = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(_KEY_BYTES)) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a rename, never replaces a key that somebody else made meanwhile.
        os.link(new, path)
    except FileExistsError:
        return False
    finally:
        new.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True


def _read_private(path: Path) -> str:
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & 0o077:
            raise VaultError(f"{path} may be read by others (mode {mode:04o}): chmod 600 {path}")
        return file.read(_FILE_BYTES_MAX).decode("ascii", "replace")


def _decoded(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == _KEY_BYTES else None


def _bound_to(owner: str, field: str) -> bytes:
    return f"{owner}\0{field}".encode()
