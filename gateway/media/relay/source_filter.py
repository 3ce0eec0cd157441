"""Who may send to a SIP-side port: the answer to RTP bleed and RTP injection.

The SDP names one address. Packets from it are always the peer's. A peer behind NAT
may send from elsewhere; policy says whether that can be learned:

========  =============================  ==========================================
policy    may be learned                 how
========  =============================  ==========================================
``off``   nothing
``auto``  other port of the same host    at its first packet
``on``    any address                    after it has been the only one sending for
                                         :data:`CONFIRMATION_S`
========  =============================  ==========================================

Learning happens only inside the window that an SDP opens, only until a better source
(SDP address before same host before any) shows up, and never afterwards: not in the
same call, whoever sends what. Packets that arrive on their own from an unconfirmed
source are not relayed, and nothing is ever sent there.
"""

from __future__ import annotations

import enum

from gateway.media.relay.config import SymmetricRtp

Address = tuple[str, int]

CONFIRMATION_S = 0.5


class _Rank(enum.IntEnum):
    NONE = 0
    ANY = 1
    SAME_HOST = 2
    EXACT = 3


class SourceFilter:
    """Decides about one SIP-side port; see the module's docstring."""

    __slots__ = (
        "_candidate",
        "_candidate_since",
        "_closes_at",
        "_expected",
        "_policy",
        "_rank",
        "_source",
        "_window_s",
    )

    def __init__(self, policy: SymmetricRtp, *, window_s: float) -> None:
        self._policy = policy
        self._window_s = window_s
        self._expected: Address | None = None
        self._source: Address | None = None
        self._rank = _Rank.NONE
        self._closes_at = 0.0
        self._candidate: Address | None = None
        self._candidate_since = 0.0

    @property
    def destination(self) -> Address | None:
        """Where our packets go: the learned source, else the SDP's address."""
        return self._source if self._source is not None else self._expected

    def is_settled(self, now: float) -> bool:
        """Whether the source is known and stays so until another SDP."""
        return self._rank is _Rank.EXACT or (
            self._rank is not _Rank.NONE and now >= self._closes_at
        )

    def expect(self, address: Address, now: float) -> None:
        """An SDP named ``address``; opens the window unless a source is known.

        The same address again changes nothing once its packets have come.
        """
        if address != self._expected:
            self._expected = address
            self._source = None
            self._rank = _Rank.NONE
        if self._rank is _Rank.NONE:
            self._candidate = None
            self._closes_at = now + self._window_s

    def forget(self) -> None:
        """No SDP names anybody any more: nobody is admitted."""
        self._expected = self._source = self._candidate = None
        self._rank = _Rank.NONE
        self._closes_at = 0.0

    def admits(self, source: Address, now: float) -> bool:
        """Whether a packet from ``source`` is the peer's; may learn it."""
        if source == self._source:
            return True
        rank = self._rank_of(source)
        if rank <= self._rank:
            return False
        if rank is not _Rank.EXACT:
            if now >= self._closes_at:
                return False
            if rank is _Rank.ANY and not self._is_confirmed(source, now):
                return False
        elif self._rank is not _Rank.NONE and now >= self._closes_at:
            # Learned is learned: the window is over.
            return False
        self._source, self._rank = source, rank
        return True

    def _rank_of(self, source: Address) -> _Rank:
        if self._expected is None:
            return _Rank.NONE
        if source == self._expected:
            return _Rank.EXACT
        if self._policy is SymmetricRtp.OFF:
            return _Rank.NONE
        if source[0] == self._expected[0]:
            return _Rank.SAME_HOST
        return _Rank.ANY if self._policy is SymmetricRtp.ON else _Rank.NONE

    def _is_confirmed(self, source: Address, now: float) -> bool:
        if source != self._candidate:
            self._candidate, self._candidate_since = source, now
            return False
        return now - self._candidate_since >= CONFIRMATION_S
