"""How a company's mails look: its colour, its logo, its own templates."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from gateway.invites.templates import MailTemplates

ACCENT = "#0b5cab"
# It is in every mail: more would make them slow, and look like spam.
MAX_LOGO_BYTES = 200 * 1024
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
# WCAG 2.1, 1.4.3.
_MIN_CONTRAST = 4.5


@dataclass(frozen=True, slots=True)
class Logo:
    """``subtype``: of its MIME type, ``png`` or ``jpeg``."""

    subtype: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Design:
    accent: str = ACCENT
    logo: Logo | None = None
    templates: MailTemplates | None = None


def read_logo(path: Path) -> Logo:
    """The picture in a file.

    Raises:
        ValueError: what is wrong with it, in words.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_LOGO_BYTES + 1)
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from None
    if len(data) > MAX_LOGO_BYTES:
        raise ValueError("is larger than 200 KiB")
    if data.startswith(_PNG):
        return Logo("png", data)
    if data.startswith(_JPEG):
        return Logo("jpeg", data)
    # SVG can hold scripts, and mail programs do not show it.
    raise ValueError("is neither PNG nor JPEG")


def on(colour: str) -> str:
    """What can be read on it: white, or else black."""
    return "#ffffff" if _contrast_to_white(colour) >= _MIN_CONTRAST else "#000000"


def readable(colour: str) -> str:
    """The colour as one of words on white, or our own where it is too pale."""
    return colour if _contrast_to_white(colour) >= _MIN_CONTRAST else ACCENT


def _contrast_to_white(colour: str) -> float:
    channels = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    red, green, blue = (
        each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4
        for each in channels
    )
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)
