"""The m-lines of the SIP side, each in its place for the life of the call.

An m-line that was once offered or answered stays where it was, with port 0 when it is
not used, and may be taken up again (RFC 3264 section 8).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from gateway.media.relay.description import RemoteMedia
from gateway.media.relay.media_lines import rejected_lines

SIP_PROTOCOLS = ("RTP/AVP", "RTP/AVPF")


@dataclass(slots=True)
class SipLine:
    """One of them.

    Attributes:
        formats: as the peer wrote them, for refusing.
        is_ours: the call's audio or video; everything else stays refused.
    """

    kind: str
    protocol: str
    formats: tuple[str, ...]
    is_ours: bool


class SipLines:
    """All of one call, in order."""

    def __init__(self) -> None:
        self._lines: list[SipLine] = []

    def follow(
        self, offered: Sequence[RemoteMedia], ours: Collection[int]
    ) -> list[SipLine]:
        """The peer's offer says what there is; ``ours`` are the places we use."""
        self._lines = [
            SipLine(each.kind, each.protocol, each.formats, is_ours=place in ours)
            for place, each in enumerate(offered)
        ]
        return self._lines

    def place(self, kind: str) -> SipLine:
        """That of our audio or video: its own, else a free one, else a new one."""
        for is_ours in (True, False):
            for line in self._lines:
                if line.kind == kind and line.is_ours is is_ours:
                    line.is_ours = True
                    if line.protocol not in SIP_PROTOCOLS:
                        line.protocol = SIP_PROTOCOLS[0]
                    return line
        line = SipLine(kind, SIP_PROTOCOLS[0], ("0",), is_ours=True)
        self._lines.append(line)
        return line

    def text(self, used: Mapping[int, list[str]]) -> list[str]:
        """All m-lines; ``used`` by the identity of their line, the others refused."""
        text: list[str] = []
        for line in self._lines:
            text += used.get(id(line)) or rejected_lines(
                line.kind, line.protocol, line.formats, mid=None, host=""
            )
        return text
