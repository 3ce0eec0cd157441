"""The video formats that are passed through, and when two of them are the same.

Video is never decoded, so a packet of one leg is understood on the other only if both
mean the same by it: for H.264 the profile and the packetization mode (RFC 6184
section 8.2.2), for VP9 the profile (RFC 9628). The level says how much a receiver can
take; it is told to the other side and not compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

VIDEO_CLOCK_RATE = 90_000

# Encoding names, most compatible with telephones last: the offerer's order counts.
VIDEO_CODECS = {"vp8": "VP8", "vp9": "VP9", "h264": "H264"}

# What the relay understands and carries; no congestion control of anybody's.
NACK, PICTURE_LOSS, FULL_INTRA = "nack", "nack pli", "ccm fir"
FEEDBACK = (NACK, PICTURE_LOSS, FULL_INTRA)

# Payload types that with the marker bit would be taken for RTCP (RFC 5761 section 4).
RTCP_LIKE_TYPES = range(64, 96)

# More formats than any browser has; the rest of a longer list is not looked at.
MAX_FORMATS = 32

# Longer or stranger texts are not carried to the other leg.
MAX_PARAMETERS = 1000

# RFC 6184 section 8.1: what a missing profile-level-id means.
_DEFAULT_PROFILE_LEVEL_ID = "42000a"

# RFC 6184 table 5: profile_idc, and the bits of profile-iop as (mask, value).
_PROFILES = (
    ("constrained baseline", 0x42, 0x4F, 0x40),
    ("constrained baseline", 0x4D, 0x8F, 0x80),
    ("constrained baseline", 0x58, 0xCF, 0xC0),
    ("baseline", 0x42, 0x4F, 0x00),
    ("baseline", 0x58, 0xCF, 0x80),
    ("main", 0x4D, 0xAF, 0x00),
    ("extended", 0x58, 0xCF, 0x00),
)
_HEX = re.compile(r"[0-9A-Fa-f]{6}")
_PROFILE_LEVEL_ID = re.compile(r"(profile-level-id\s*=\s*)[0-9A-Fa-f]{6}", re.I)

FormatKey = tuple[str, ...]
"""What two formats must share to be the same on both legs."""


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """One payload type of a remote's video.

    Attributes:
        name: encoding name as we write it.
        parameters: text of its ``a=fmtp``: what the remote can receive.
        feedback: those of :data:`FEEDBACK` that the remote takes.
        key: equal for equal formats, whatever their numbers.
    """

    name: str
    payload_type: int
    parameters: str
    feedback: frozenset[str]
    key: FormatKey


def read_format(
    name: str,
    clock_rate: int,
    payload_type: int,
    parameters: str,
    feedback: Iterable[str],
) -> VideoFormat | None:
    """A format of an m-line, None when it is not passed through."""
    known = VIDEO_CODECS.get(name.lower())
    if known is None or clock_rate != VIDEO_CLOCK_RATE:
        return None
    if len(parameters) > MAX_PARAMETERS or not (
        parameters.isascii() and parameters.isprintable()
    ):
        return None
    key = _key(known, _parse(parameters))
    if key is None:
        return None
    taken = frozenset(feedback) & frozenset(FEEDBACK)
    return VideoFormat(known, payload_type, parameters, taken, key)


def _parse(parameters: str) -> dict[str, str]:
    pairs = (each.partition("=") for each in parameters.split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _key(name: str, parameters: dict[str, str]) -> FormatKey | None:
    if name == "VP9":
        return name, parameters.get("profile-id", "0")
    if name != "H264":
        return (name,)
    text = parameters.get("profile-level-id", _DEFAULT_PROFILE_LEVEL_ID)
    mode = parameters.get("packetization-mode", "0")
    if not _HEX.fullmatch(text) or mode not in ("0", "1", "2"):
        return None
    return name, _profile(int(text[:2], 16), int(text[2:4], 16)), mode


def _profile(idc: int, iop: int) -> str:
    for profile, its_idc, mask, value in _PROFILES:
        if idc == its_idc and iop & mask == value:
            return profile
    return f"{idc:02x}{iop:02x}"


def _profile_level_id(parameters: dict[str, str]) -> str:
    return parameters.get("profile-level-id", _DEFAULT_PROFILE_LEVEL_ID)


def level(parameters: str) -> float:
    """H.264 level times ten; comparable. Level 1b stands between 1 and 1.1."""
    text = _profile_level_id(_parse(parameters))
    idc, iop, level_idc = bytes.fromhex(text)
    if level_idc == 11 and iop & 0x10 and idc in (0x42, 0x4D, 0x58):
        return 10.5
    return level_idc


def answer_parameters(offered: VideoFormat, wanted: VideoFormat) -> str:
    """The fmtp text that answers ``offered`` for a receiver that said ``wanted``.

    That is the receiver's own text. Only an H.264 level above the offered one is
    lowered to it, unless both allow different levels (RFC 6184 section 8.2.2).
    """
    if offered.name != "H264":
        return wanted.parameters
    theirs, ours = _parse(offered.parameters), _parse(wanted.parameters)
    is_asymmetric = all(
        each.get("level-asymmetry-allowed") == "1" for each in (theirs, ours)
    )
    chosen = _profile_level_id(ours)
    if not is_asymmetric and level(wanted.parameters) > level(offered.parameters):
        chosen = _profile_level_id(theirs)
    if chosen == ours.get("profile-level-id"):
        return wanted.parameters
    if "profile-level-id" in ours:
        return _PROFILE_LEVEL_ID.sub(
            lambda match: match[1] + chosen, wanted.parameters, count=1
        )
    return "; ".join(filter(None, (f"profile-level-id={chosen}", wanted.parameters)))
