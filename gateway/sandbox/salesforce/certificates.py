"""A self-signed certificate for the org's host names, made when it is needed."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST_NAMES = (
    "localhost",
    "*.lightning.force.com",
    "*.my.salesforce.com",
    "login.salesforce.com",
    "test.salesforce.com",
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM of the certificate, and of its key."""

    certificate_pem: str
    key_pem: str = field(repr=False)

    def server_context(self, folder: Path) -> ssl.SSLContext:
        """A TLS server's context; writes both PEM files into ``folder``."""
        certificate = folder / "certificate.pem"
        key = folder / "key.pem"
        certificate.write_text(self.certificate_pem)
        key.touch(mode=0o600)
        key.write_text(self.key_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context


def make_certificate(*, now: datetime | None = None) -> Certificate:
    """A certificate for :data:`HOST_NAMES` and loopback, good for 30 days.

    It is its own authority: trust the file and names are checked as usual.
    """
    start = (now or datetime.now(UTC)) - timedelta(hours=1)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Sandbox Salesforce")])
    names: list[x509.GeneralName] = [x509.DNSName(host) for host in HOST_NAMES]
    names += [
        x509.IPAddress(ipaddress.ip_address(address))
        for address in ("127.0.0.1", "::1")
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    return Certificate(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode(),
    )
