"""What is signed here is verified by an implementation that is not ours."""

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from core.providers.port import OutMessage
from core.providers.smtp.dkim import BadKeyError, DkimKey, Signer, read_key
from core.providers.smtp.mime import compose, origin
from tests.support.dkim import dns_of, pem

RSA = rsa.generate_private_key(65_537, 2_048)
ED25519 = ed25519.Ed25519PrivateKey.generate()
ORIGIN = origin("news@example.com", "Nëws of the \t day", "", "leave@example.com")
DATE = "Mon, 24 Nov 2025 10:00:00 +0000"

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=300) | st.text(
    " \t\r\n.ab=漢", max_size=300
)


def verified(data: bytes, key: DkimKey) -> bool:
    return bool(dkim.verify(data, dnsfunc=dns_of("s1", "example.com", key)))


def signed(message: OutMessage, key: DkimKey) -> bytes:
    mail = compose(message, ORIGIN, DATE)
    return Signer("example.com", "s1", key).signature(mail.data, 1_764_000_000) + mail.data


@pytest.mark.parametrize("key", [RSA, ED25519], ids=["rsa", "ed25519"])
@given(text=texts, html=texts, subject=st.text("ab \té漢", max_size=200), link=st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_signed_mail_is_verified(
    key: DkimKey, text: str, html: str, subject: str, link: bool
) -> None:
    url = "https://example.com/u/abc?t=1" if link else ""
    message = OutMessage(
        "m1.a.1", "ann@example.net", text=text, html=html, subject=subject, unsubscribe_url=url
    )
    data = signed(message, key)
    assert verified(data, key)
    assert max(map(len, data.split(b"\r\n\r\n")[0].split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        (b"Good morning", b"Good evening"),
        (b"To: ann@", b"To: bob@"),
        (b"List-Unsubscribe: <https://example.com", b"List-Unsubscribe: <https://example.org"),
        (b"List-Unsubscribe-Post: List", b"List-Unsubscribe-Post: Lost"),
        (b"From: ", b"From: evil@example.org\r\nFrom: "),
        (b"Date: ", b"Subject: another one\r\nDate: "),
    ],
)
def test_what_is_changed_on_the_way_is_noticed(what: bytes, instead: bytes) -> None:
    message = OutMessage(
        *("m1.a.1", "ann@example.net"),
        text="Good morning",
        subject="Hello",
        unsubscribe_url="https://example.com/u/abc",
    )
    data = signed(message, RSA)
    assert verified(data, RSA)
    assert what in data
    assert not verified(data.replace(what, instead, 1), RSA)


def test_only_private_keys_of_rsa_and_ed25519_are_read() -> None:
    assert read_key(pem(RSA)).__class__ is RSA.__class__
    assert read_key(f"\n  {pem(ED25519)}\n").__class__ is ED25519.__class__
    curve = ec.generate_private_key(ec.SECP256R1())
    locked = BestAvailableEncryption(b"secret")
    wrong = {
        "": "no private key",
        "secret": "no private key",
        RSA.public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        .decode(): "no private key",
        RSA.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, locked).decode(): "encrypted",
        curve.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ).decode(): "RSA and Ed25519",
    }
    for text, why in wrong.items():
        with pytest.raises(BadKeyError, match=why):
            read_key(text)
