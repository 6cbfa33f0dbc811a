"""Signatures that receivers accept: the specification's own library verifies them."""

from base64 import b64decode, b64encode
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from core.providers.webhook.signing import BadSecretError, signatures, signer

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
keys = st.binary(min_size=24, max_size=64).map(lambda key: "whsec_" + b64encode(key).decode())


def now_s() -> int:
    return int(datetime.now(UTC).timestamp())


def test_the_vector_of_the_specification() -> None:
    body = b'{"test": 2432232314}'
    signed = signatures([SECRET], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == b"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.lists(keys, min_size=1, max_size=3), st.text(max_size=50))
def test_the_librarys_receiver_accepts_each_secret(secrets: list[str], text: str) -> None:
    body = text.encode()
    at = now_s()
    headers = {
        "webhook-id": "local-u1",
        "webhook-timestamp": str(at),
        "webhook-signature": signatures(secrets, "local-u1", at, body).decode(),
    }
    for secret in secrets:
        Webhook(secret).verify(body, headers, json_parse=False)


def test_rotation_puts_one_signature_for_each_secret_in_their_order() -> None:
    other = "whsec_" + b64encode(b"x" * 24).decode()
    both = signatures([other, SECRET], "m", 1, b"{}").split(b" ")
    assert both == [signatures([each], "m", 1, b"{}") for each in (other, SECRET)]


@pytest.mark.parametrize("whole", [True, False], ids=["seed_and_public", "seed"])
def test_a_private_key_signs_so_that_its_public_key_verifies(whole: bool) -> None:
    private = Ed25519PrivateKey.generate()
    public = private.public_key()
    key = private.private_bytes_raw()
    key += public.public_bytes(Encoding.Raw, PublicFormat.Raw) if whole else b""
    signed = signatures(["whsk_" + b64encode(key).decode()], "m", 1, b"body")
    version, _, text = signed.partition(b",")
    assert version == b"v1a"
    public.verify(b64decode(text), b"m.1.body")
    with pytest.raises(InvalidSignature):
        public.verify(b64decode(text), b"m.2.body")


@pytest.mark.parametrize(
    "secret",
    [
        *("", "secret", "whsec_", "whsec_!!!!", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        *("whsec_" + b64encode(b"x" * size).decode() for size in (1, 23, 65)),
        *("whsk_" + b64encode(b"x" * size).decode() for size in (24, 33, 64)),
        "whpk_" + b64encode(b"x" * 32).decode(),
    ],
)
def test_what_is_no_secret_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(BadSecretError) as refused:
        signer(secret)
    assert len(secret) < 8 or secret not in str(refused.value)
