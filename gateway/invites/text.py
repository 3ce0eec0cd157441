"""What people typed, made fit for headers, calendars, pages and SIP."""

from __future__ import annotations

import unicodedata

# Joiners are part of words in several scripts, and of emoji.
_JOINERS = "\u200c\u200d"
_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co"})


def one_line(text: str) -> str:
    """Without control characters, direction overrides and line breaks."""
    return " ".join(_clean(text).split())


def lines(text: str) -> str:
    """As :func:`one_line`, but line breaks stay (as ``\\n``)."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("\u2028", "\n").replace("\u2029", "\n")
    cleaned = (" ".join(_clean(line).split(" ")) for line in text.split("\n"))
    return "\n".join(line.rstrip() for line in cleaned).strip("\n")


def _clean(text: str) -> str:
    return "".join(
        " "
        if character.isspace()
        else ""
        if unicodedata.category(character) in _UNWANTED and character not in _JOINERS
        else character
        for character in unicodedata.normalize("NFC", text)
    )
