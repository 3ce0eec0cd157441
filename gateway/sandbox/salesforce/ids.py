"""Salesforce record ids: 15 characters, and 3 more that make case not matter."""

from __future__ import annotations

import re

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SUFFIX = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHAPE = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")

# Between prefix and counter a real id names the instance; ours says so too.
_INSTANCE = "RB0"


def suffix_of(id15: str) -> str:
    """The three check characters: one bit per character, set if it is upper case."""
    letters = []
    for start in (0, 5, 10):
        bits = sum(1 << i for i, c in enumerate(id15[start : start + 5]) if c.isupper())
        letters.append(_SUFFIX[bits])
    return "".join(letters)


def id_for(prefix: str, number: int) -> str:
    """The 18-character id of the ``number``-th record of the object ``prefix``.

    Raises:
        ValueError: the number does not fit into nine base-62 digits.
    """
    digits = ""
    rest = number
    for _ in range(9):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    if rest or len(prefix) != 3:
        raise ValueError(f"no id for {prefix!r} {number}")
    id15 = prefix + _INSTANCE + digits
    return id15 + suffix_of(id15)


def normalise(value: str) -> str | None:
    """The 18-character form of a 15- or 18-character id, None if it is neither.

    Of an 18-character id the case of the first 15 is restored from the suffix.
    """
    if not _SHAPE.fullmatch(value):
        return None
    id15 = value[:15]
    if len(value) == 15:
        return id15 + suffix_of(id15)
    restored = []
    for position, character in enumerate(id15):
        bits = _SUFFIX.find(value[15 + position // 5].upper())
        if bits < 0:
            return None
        upper = bits >> (position % 5) & 1
        restored.append(character.upper() if upper else character.lower())
    whole = "".join(restored)
    return whole + suffix_of(whole) if suffix_of(whole) == value[15:].upper() else None
