"""Secrets at rest: sealed by one of several keys, for one user and no other.

Fernet (AES-128-CBC and HMAC-SHA256) has no associated data, so tenant and user are
inside what is sealed and compared when it is opened: who can write to the database
but has no key cannot have one user's secret used as another's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

import sip
from gateway.identity.users import UserKey

_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")


class SecretError(Exception):
    """A secret cannot be sealed or opened; the text never quotes it."""


class NoSecretsKeyError(SecretError):
    """The configuration has no ``secrets_keys``."""

    def __init__(self) -> None:
        super().__init__("the configuration has no secrets_keys")


class SecretNotOpenedError(SecretError):
    """No key opens it: its key was taken away, or it was altered."""

    def __init__(self, key: UserKey) -> None:
        super().__init__(f"none of secrets_keys opens the secret of {key}")


class SecretMisplacedError(SecretError):
    """It was sealed for another user."""

    def __init__(self, key: UserKey) -> None:
        super().__init__(f"what stands as the secret of {key} was sealed for another")


class SecretBox:
    """Seals with the first key, opens with any.

    Args:
        keys: each 32 bytes in URL-safe base64, as ``ringbridge key new`` prints them.

    Raises:
        ValueError: one is not.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        fernets = [_fernet(key) for key in keys]
        self._first = fernets[0] if fernets else None
        self._all = MultiFernet(fernets) if fernets else None

    def seal(self, key: UserKey, secret: str) -> str:
        """The sealed text, in ASCII; another one each time.

        Raises:
            NoSecretsKeyError: there is nothing to seal with.
        """
        if self._first is None:
            raise NoSecretsKeyError
        data = json.dumps([key.tenant, key.user, secret]).encode("ascii")
        return self._first.encrypt(data).decode("ascii")

    def open(self, key: UserKey, sealed: str) -> sip.Secret:
        """What was sealed for this user.

        Raises:
            NoSecretsKeyError: there is nothing to open it with.
            SecretNotOpenedError: no key opens it.
            SecretMisplacedError: it is another user's.
        """
        if self._all is None:
            raise NoSecretsKeyError
        try:
            opened = json.loads(self._all.decrypt(sealed.encode("utf-8")))
        except (InvalidToken, ValueError):
            raise SecretNotOpenedError(key) from None
        match opened:
            case [key.tenant, key.user, str(secret)]:
                return sip.Secret(secret)
            case _:
                raise SecretMisplacedError(key)

    def is_of_first_key(self, sealed: str) -> bool:
        """False also for what no key opens."""
        if self._first is None:
            return False
        try:
            self._first.decrypt(sealed.encode("utf-8"))
        except (InvalidToken, ValueError):
            return False
        return True


def check_key(key: str) -> None:
    """Raises ValueError when it is no key to seal with."""
    _fernet(key)


def _fernet(key: str) -> Fernet:
    # Python's decoder would not mind what follows the padding, a second key say.
    if not _KEY.fullmatch(key):
        raise ValueError(
            "must be 32 bytes in URL-safe base64; `ringbridge key new` makes one"
        )
    return Fernet(key)
