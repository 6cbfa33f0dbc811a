"""A certificate for STARTTLS, made by the sandbox for itself and kept in its data folder.

It is signed by its own key and names localhost and the loopback addresses; clients that check
certificates have to be given `tls.crt` as their authority. It is made anew when it runs out within
a month.
"""

import datetime
import ipaddress
import os
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_VALID = datetime.timedelta(days=3650)
_RENEW_BEFORE = datetime.timedelta(days=30)


def tls_context(folder: Path, wall_ms: int) -> ssl.SSLContext:
    """A server's context with the folder's certificate; makes one where there is none."""
    now = datetime.datetime.fromtimestamp(wall_ms / 1000, datetime.UTC)
    certificate, key = folder / "tls.crt", folder / "tls.key"
    if not _usable(certificate, key, now):
        _make(certificate, key, now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context


def _usable(certificate: Path, key: Path, now: datetime.datetime) -> bool:
    try:
        known = x509.load_pem_x509_certificate(certificate.read_bytes())
        serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError):
        return False
    return known.not_valid_before_utc <= now < known.not_valid_after_utc - _RENEW_BEFORE


def _make(certificate: Path, key: Path, now: datetime.datetime) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "GouTong sandbox")])
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + _VALID)
        .add_extension(
            x509.SubjectAlternativeName(
                [
                    x509.DNSName("localhost"),
                    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                    x509.IPAddress(ipaddress.ip_address("::1")),
                ]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write(key, pem)
    _write(certificate, signed.public_bytes(serialization.Encoding.PEM))


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all, for our eyes only from the first moment."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    fresh.replace(path)
