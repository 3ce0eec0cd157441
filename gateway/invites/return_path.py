"""The address that a mail's failure is reported to: one for each mail.

``invites+<tag>@acme.example``, where only the service can make the tag: whoever sends
a report to it has had that mail. The tag hides which mail it is, so that it tells its
readers nothing, not even how many mails there are.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re

_PURPOSE = b"ringbridge return paths 1"
_MAC_BYTES = 10
_ID_BYTES = 5
# Base 32 of both together: no case, no padding, nothing that a server rewrites.
TAG_CHARS = 24
_TAG = re.compile(r"[a-z2-7]{24}")
# RFC 5321 4.5.3.1.1.
MAX_LOCAL_CHARS = 64


class ReturnPaths:
    """Makes and reads the addresses of one tenant.

    Args:
        secret: the service's signing key.
        address: the mailbox that reports come to.
        separator: what the mail server takes for the end of the mailbox's name.
    """

    def __init__(
        self, secret: str, *, tenant: str, address: str, separator: str = "+"
    ) -> None:
        key = hmac.digest(secret.encode("utf-8"), _PURPOSE, "sha256")
        self._key = hmac.digest(key, tenant.encode("utf-8"), "sha256")
        self._local, _, self._domain = address.rpartition("@")
        self._separator = separator

    def address(self, mail_id: int, guest_id: str) -> str:
        """Of a mail; the guest is part of it since row ids may be used again."""
        mac = self._mac(mail_id, guest_id)
        hidden = _mixed(mail_id.to_bytes(_ID_BYTES, "big"), self._pad(mac))
        tag = base64.b32encode(mac + hidden).decode("ascii").lower()
        return f"{self._local}{self._separator}{tag}@{self._domain}"

    def mail_id(self, address: str) -> int | None:
        """Which mail an address claims to be of; :meth:`is_of` says if it is."""
        local, _, domain = address.lower().rpartition("@")
        prefix = f"{self._local}{self._separator}".lower()
        tag = local.removeprefix(prefix)
        if domain != self._domain.lower() or not local.startswith(prefix):
            return None
        if not _TAG.fullmatch(tag):
            return None
        try:
            data = base64.b32decode(tag.upper())
        except binascii.Error:
            return None
        mac, hidden = data[:_MAC_BYTES], data[_MAC_BYTES:]
        return int.from_bytes(_mixed(hidden, self._pad(mac)), "big")

    def is_of(self, address: str, mail_id: int, guest_id: str) -> bool:
        """Whether we made this address for this mail."""
        made = self.address(mail_id, guest_id).lower()
        return hmac.compare_digest(
            made.encode("utf-8"), address.lower().encode("utf-8", "replace")
        )

    def _mac(self, mail_id: int, guest_id: str) -> bytes:
        message = f"mail\0{mail_id}\0{guest_id}".encode()
        return hmac.digest(self._key, message, "sha256")[:_MAC_BYTES]

    def _pad(self, mac: bytes) -> bytes:
        return hmac.digest(self._key, b"pad\0" + mac, "sha256")[:_ID_BYTES]


def _mixed(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
