"""What all calls of a worker share."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gateway.media.relay.aiortc_internals import Certificate
from gateway.media.relay.browser_port import BrowserPort
from gateway.media.relay.browser_transport import BrowserTransport
from gateway.media.relay.codecs import Codec
from gateway.media.relay.config import RelayConfig
from gateway.media.relay.port_pairs import PortPairs
from gateway.media.relay.readiness import ReadinessGroup
from gateway.media.relay.tones import ToneFrames
from gateway.media.relay.wire import WorkerEvent


@dataclass(frozen=True, slots=True)
class CallServices:
    """Handed to every call when it is opened.

    Attributes:
        clock: monotonic seconds; ``wall`` seconds since 1970.
        random_bytes: cryptographic randomness; ``rng`` the same as a Random.
        ports: SIP-side port pairs.
        certificate: the one that new transports use.
        music: frames for who waits on hold, in one codec.
        emit: hands an event to the control process.
        spawn: runs a clean-up to its end even if the call is gone.
    """

    config: RelayConfig
    clock: Callable[[], float]
    wall: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    rng: random.Random
    certificate: Callable[[], Certificate]
    browser_port: BrowserPort
    ports: PortPairs
    group: ReadinessGroup
    tones: Mapping[str, ToneFrames]
    music: Callable[[Codec], Sequence[bytes]]
    emit: Callable[[WorkerEvent], None]
    spawn: Callable[[BrowserTransport], None]
