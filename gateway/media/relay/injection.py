"""When a call's own packets (digits, comfort, music, a mix) are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from gateway.media.engine import Leg
from gateway.media.relay.audio_stream import AudioStream
from gateway.media.relay.injector import ComfortSound, Injector


class Injection:
    """The injectors towards both legs, and the timer that both share.

    Args:
        targets: by leg the stream towards its remote, and what sends there.
    """

    def __init__(
        self,
        targets: Mapping[Leg, tuple[AudioStream, Callable[[bytes], None]]],
        clock: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._injectors = {
            leg: Injector(stream) for leg, (stream, _) in targets.items()
        }
        self._send = {leg: send for leg, (_, send) in targets.items()}
        self._timer: asyncio.TimerHandle | None = None

    def send_digits(
        self, leg: Leg, digits: str, *, payload_type: int, clock_rate: int
    ) -> bool:
        """Queue telephone-events; False when too many would wait."""
        accepted = self._injectors[leg].send_digits(
            digits, payload_type=payload_type, clock_rate=clock_rate, now=self._clock()
        )
        if accepted:
            self._run()
        return accepted

    def start_comfort(self, leg: Leg, sound: ComfortSound) -> None:
        """Fill the stream towards a leg until :meth:`stop_comfort`."""
        self._injectors[leg].start_comfort(sound, self._clock())
        self._run()

    def stop_comfort(self, leg: Leg) -> None:
        """The source of that stream is back."""
        self._injectors[leg].stop_comfort()

    def send_frame(
        self, leg: Leg, payload_type: int, payload: bytes, *, marker: bool, due: float
    ) -> bool:
        """Send a frame that is made elsewhere; False: nothing may go out now."""
        packet = self._injectors[leg].frame(
            payload_type, payload, marker=marker, due=due
        )
        if packet is None:
            return False
        self._send[leg](packet)
        return True

    def close(self) -> None:
        """Send nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run(self) -> None:
        """Send what is due and come back for the rest."""
        self.close()
        now = self._clock()
        due: float | None = None
        for leg, injector in self._injectors.items():
            for packet in injector.packets_due(now):
                self._send[leg](packet)
            if injector.due is not None:
                due = injector.due if due is None else min(due, injector.due)
        if due is not None:
            self._timer = asyncio.get_running_loop().call_later(
                max(0.0, due - now), self._run
            )
