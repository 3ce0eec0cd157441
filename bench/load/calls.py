"""One call of the load: a rep's page, a far end, and the packets between them."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from dataclasses import dataclass

from bench.load.browser import PCMU, BrowserMedia
from bench.load.phones import PhoneCall, Phones
from bench.load.rep import Rep
from bench.load.traffic import End, EndNumbers, State, Traffic
from bench.load.world import FAR_END
from gateway.media.relay.aiortc_internals import Certificate
from tests.system.waiting import until_true

READY_TIMEOUT_S = 20.0
# Packets that are on the way when sending ends have this long to arrive.
DRAIN_TIMEOUT_S = 3.0


@dataclass(slots=True)
class SetUpTimes:
    """Of one call, in seconds.

    Attributes:
        signalled: incoming: from the far end's INVITE to ``call.incoming``; outgoing:
            from ``call.create`` to ``call.answered``.
        answered: incoming only: from ``call.answer`` to the far end's 200.
        media: from the gateway's SDP answer to ``call.media`` ``connected``.
    """

    signalled: float = 0.0
    answered: float = 0.0
    media: float = 0.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of the packets of one call, by the end that sent them."""

    sent: int
    lost: int
    strayed: int
    rejected: int
    repeated: int
    reordered: int
    refused: int


class LoadCall:
    """A call by its index; :meth:`set_up`, then :meth:`silence` and :meth:`hang_up`."""

    def __init__(
        self,
        index: int,
        rep: Rep,
        *,
        phones: Phones,
        traffic: Traffic,
        certificate: Certificate,
    ) -> None:
        self.index = index
        self.is_incoming = index % 2 == 0
        self.times = SetUpTimes()
        self.call_id = ""
        self.media: BrowserMedia | None = None
        self._rep = rep
        self._phones = phones
        self._traffic = traffic
        self._certificate = certificate
        self._phone: PhoneCall | None = None

    async def set_up(self) -> None:
        """Until audio flows both ways and every packet counts."""
        self._rep.is_in_call = True
        media = self.media = BrowserMedia(self._certificate)
        if self.is_incoming:
            await self._take_call(media)
        else:
            await self._make_call(media)
        await self._count()

    async def _take_call(self, media: BrowserMedia) -> None:
        began = time.monotonic()
        self._phone = phone = self._phones.call(self._rep.number)
        event = await self._rep.call_event("call.incoming")
        self.times.signalled = time.monotonic() - began
        self.call_id = event["call"]["call_id"]
        asked = time.monotonic()
        result = await self._rep.command(
            "call.answer", call_id=self.call_id, offer=media.offer(), generation=1
        )
        agreed = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(media.connect(result["answer"]))
            await phone.answered()
            self.times.answered = time.monotonic() - asked
        await self._connect(media, phone, agreed)

    async def _make_call(self, media: BrowserMedia) -> None:
        coming = self._phones.expect(self._rep.number)
        self.call_id = str(uuid.uuid4())
        began = time.monotonic()
        result = await self._rep.command(
            "call.create", call_id=self.call_id, to=FAR_END, offer=media.offer()
        )
        agreed = time.monotonic()
        async with asyncio.TaskGroup() as group:
            group.create_task(media.connect(result["answer"]))
            await self._rep.call_event("call.answered", self.call_id)
            self.times.signalled = time.monotonic() - began
            async with asyncio.timeout(READY_TIMEOUT_S):
                self._phone = phone = await coming
            await phone.answered()
        await self._connect(media, phone, agreed)

    async def _connect(
        self, media: BrowserMedia, phone: PhoneCall, agreed: float
    ) -> None:
        traffic, index = self._traffic, self.index
        traffic.set_end(
            index,
            End.BROWSER,
            fd=media.fd,
            to=media.remote,
            payload_type=PCMU,
            ssrc=0x10000000 + index,
            contexts=media.contexts,
        )
        traffic.set_end(
            index,
            End.PHONE,
            fd=phone.fd,
            to=phone.remote,
            payload_type=PCMU,
            ssrc=0x20000000 + index,
        )
        traffic.set_state(index, State.WARMING)
        await self._rep.media_connected(self.call_id)
        self.times.media = time.monotonic() - agreed

    async def _count(self) -> None:
        await until_true(
            lambda: all(self.numbers(end).seen for end in End),
            "packets both ways",
            timeout_s=READY_TIMEOUT_S,
        )
        self._traffic.set_state(self.index, State.COUNTING)

    def numbers(self, end: End) -> EndNumbers:
        """Packets of one end so far."""
        return self._traffic.numbers(self.index, end)

    async def silence(self) -> dict[End, Delivery]:
        """Stop sending, wait for what is on the way, and settle the accounts."""
        self._traffic.set_state(self.index, State.SILENT)
        with contextlib.suppress(AssertionError):
            # What has not come by then is lost, and counted as such.
            await until_true(
                lambda: not any(each.lost for each in self._deliveries().values()),
                "all packets",
                timeout_s=DRAIN_TIMEOUT_S,
            )
        deliveries = self._deliveries()
        await self._traffic.end(self.index)
        return deliveries

    def _deliveries(self) -> dict[End, Delivery]:
        found = {}
        for sender, receiver in ((End.BROWSER, End.PHONE), (End.PHONE, End.BROWSER)):
            out, back = self.numbers(sender), self.numbers(receiver)
            found[sender] = Delivery(
                sent=out.sent,
                lost=out.sent - back.received,
                strayed=back.strayed,
                rejected=back.rejected,
                repeated=back.repeated,
                reordered=back.reordered,
                refused=out.refused,
            )
        return found

    async def hang_up(self) -> str:
        """End it, in turn by the rep and by the far end; gives the end's reason."""
        phone, media = self._phone, self.media
        assert phone is not None
        assert media is not None
        if self.index % 4 < 2:
            await self._rep.hang_up(self.call_id)
        else:
            phone.hang_up()
        view = await self._rep.wait_ended(self.call_id)
        await phone.ended()
        self._rep.is_in_call = False
        await media.close()
        phone.close()
        return str(view["end_reason"])
