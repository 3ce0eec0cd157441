"""The desk phone beside the browser: one call and one activity, whoever has it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

import sip
from gateway.calls.desk_phone import LOST_S, SETTLE_S
from gateway.calls.desk_phones import DeskPhones, DeskTenant, MadeLegs
from gateway.calls.work import WorkRules
from gateway.crm.connector import CrmRecord
from gateway.sessions import wire
from gateway.sessions.backend import RequestError
from gateway.sessions.wire import (
    CallDevice,
    CallDirection,
    CallState,
    CallView,
    EndReason,
    ErrorKind,
    Match,
    MatchState,
    Peer,
)
from tests.gateway.calls.fakes import (
    ELSE,
    ROBIN,
    SAM,
    FakeLeg,
    FakeSubscription,
    World,
    settle,
)
from tests.gateway.calls.guests import join

ANA = CrmRecord("003A", "Contact", "Ana Ruiz", "https://crm/003A", company="Acme")
BOB = CrmRecord("003B", "Contact", "Bob Roy", "https://crm/003B")
ANAS = "+16465550175"


def dialog(
    state: str,
    sip_id: str = "c1",
    *,
    direction: str = "recipient",
    remote: str = f"sip:{ANAS}@acme.example",
    more: str = "",
) -> str:
    return (
        f'<dialog id="d-{sip_id}" call-id="{sip_id}" direction="{direction}">'
        f'<state>{state}</state>{more}<remote><identity display="Ana">{remote}'
        "</identity></remote></dialog>"
    )


class Office(World):
    """A call service whose reps have desk phones, at Acme."""

    def __post_init__(self) -> None:
        super().__post_init__()
        made = MadeLegs(self.telephony)
        # As the composition root has it: calls of the service are known as ours.
        self.service.board.telephony = made
        self.desks = DeskPhones(
            self.service,
            services=self.services,
            made=made,
            accounts=self.accounts,
            tenants={"acme": DeskTenant("acme.example", "US", self.connector)},
            host="192.0.2.1",
            is_colleague=self.is_colleague,
        )
        self.service.board.on_call_over = lambda call: self.desks.call_over(
            call.user.key
        )

    @property
    def phone(self) -> FakeSubscription:
        return self.telephony.subscriptions[-1]

    async def tell(self, *dialogs: str) -> None:
        self.phone.tell(*dialogs)
        await settle()

    async def ring(self, sip_id: str = "c1", **options: str) -> FakeLeg:
        """The INVITE to the browser."""
        leg = FakeLeg(self.accounts[ROBIN.key], call_id=sip_id, **options)
        self.desks.on_invite(leg)
        await settle()
        return leg

    async def ask(self, method: str, params: wire.Wire) -> wire.Wire:
        result = await self.desks.perform(ROBIN, method, params)
        await settle()
        return result

    async def click(self, to: str = "(202) 555-0143", **more: object) -> wire.Wire:
        return await self.ask(
            "call.create",
            wire.CallCreate(
                op_id="1", call_id="click", to=to, device="desk_phone", **more
            ),
        )

    def one(self) -> CallView:
        [view] = self.desks.snapshot(ROBIN).calls
        return view


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    """Robin is signed in, and the server tells of no call."""
    office = Office()
    running = [
        asyncio.create_task(office.service.run()),
        asyncio.create_task(office.desks.run()),
    ]
    await office.desks.session_opened(ROBIN)
    await office.tell()
    yield office
    await office.desks.close()
    await office.service.close()
    await asyncio.wait_for(asyncio.gather(*running), 5)
    assert office.desks.followed_calls == 0
    assert office.clock.waiting == 0
    for subscription in office.telephony.subscriptions:
        assert subscription.did[-1] == "stop"
    ids = [record.call_id for record in office.journal.begun]
    assert len(ids) == len(set(ids))


async def at_the_desk(office: Office) -> CallView:
    """A call rings here and is answered there."""
    leg = await office.ring()
    await office.tell(dialog("early"))
    leg.on_event(sip.Cancelled((sip.Reason("SIP", 200),)))
    await settle()
    await office.tell(dialog("confirmed"))
    return office.one()


async def test_answered_at_the_desk_is_the_same_call(office: Office) -> None:
    office.connector.records = (ANA,)
    call = await at_the_desk(office)
    assert (call.device, call.state) == (CallDevice.DESK_PHONE, CallState.ACTIVE)
    assert [record.id for record in call.match.records] == ["003A"]
    assert office.kinds() == [
        "call.incoming",
        "call.updated",
        "call.ended",
        "call.answered",
    ]
    [first] = office.journal.over
    assert first.reason is EndReason.ANSWERED_ELSEWHERE
    assert [record.call_id for record in office.journal.again] == [call.call_id]
    # Asked once: it is known already.
    assert office.connector.asked == [ANAS]
    office.clock.advance(60)
    await office.tell(dialog("terminated"))
    assert office.kinds()[-1] == "call.ended"
    [_, last] = office.journal.over
    assert (last.call_id, last.direction) == (first.call_id, CallDirection.INBOUND)
    assert (last.answered_at, last.ended_at) == (1000.0, 1060.0)
    [activity] = office.journal.written
    assert (activity.outcome, activity.duration_s) == ("Answered", 60)
    assert activity.who_id == "003A"
    assert office.desks.snapshot(ROBIN).calls == ()


async def test_it_is_kept_before_it_is_shown(office: Office) -> None:
    office.journal.may_keep.clear()
    await office.tell(dialog("confirmed"))
    assert len(office.journal.begun) == len(office.journal.taken) == 1
    assert office.kinds() == []
    assert office.desks.snapshot(ROBIN).calls == ()
    # What follows waits for its turn.
    await office.tell()
    office.journal.may_keep.set()
    await settle()
    assert [kind for kind in office.kinds() if kind != "call.updated"] == [
        "call.answered",
        "call.ended",
    ]


async def test_the_notify_overtakes_the_cancel(office: Office) -> None:
    leg = await office.ring()
    await office.tell(dialog("confirmed"))
    assert office.one().device is CallDevice.HERE
    leg.on_event(sip.Cancelled((sip.Reason("SIP", 200),)))
    await settle()
    assert office.one().device is CallDevice.DESK_PHONE


async def test_answered_here_is_nothing_for_the_desk(office: Office) -> None:
    leg = await office.ring()
    await office.tell(dialog("early"))
    call_id = office.one().call_id
    await office.ask(
        "call.answer", wire.CallAnswer(op_id="1", call_id=call_id, offer="offer")
    )
    await office.tell(dialog("confirmed"))
    assert office.one().device is CallDevice.HERE
    leg.on_event(sip.RemoteHangup())
    await settle()
    await office.tell(dialog("confirmed"))
    await office.tell(dialog("terminated"))
    assert office.desks.snapshot(ROBIN).calls == ()
    assert len(office.journal.over) == 1


async def test_what_the_browser_dials_is_nothing_for_the_desk(office: Office) -> None:
    create = wire.CallCreate(op_id="1", call_id="b1", to=ANAS, offer="offer")
    await office.ask("call.create", create)
    await office.tell(dialog("early", "made-0", direction="initiator"))
    assert office.one().device is CallDevice.HERE
    office.telephony.legs[0].on_event(sip.Rejected(486, local=False))
    await settle()
    await office.tell(dialog("confirmed", "made-0", direction="initiator"))
    assert office.desks.snapshot(ROBIN).calls == ()


async def test_it_rings_at_the_desk_alone(office: Office) -> None:
    office.connector.records = (ANA,)
    await office.tell(dialog("early"))
    assert office.kinds() == []
    office.clock.advance(SETTLE_S)
    await settle()
    assert office.kinds()[0] == "call.incoming"
    call = office.one()
    assert (call.state, call.peer.e164) == (CallState.RINGING, ANAS)
    assert call.peer.display_name == "Ana"
    assert [record.id for record in call.match.records] == ["003A"]
    await office.tell()
    [over] = office.journal.over
    assert over.reason is EndReason.MISSED


async def test_dialled_at_the_desk(office: Office) -> None:
    office.connector.records = (ANA,)
    for state in ("trying", "early", "confirmed"):
        await office.tell(dialog(state, direction="initiator"))
    call = office.one()
    assert (call.direction, call.state) == (CallDirection.OUTBOUND, CallState.ACTIVE)
    kinds = [kind for kind in office.kinds() if kind != "call.updated"]
    assert kinds == ["call.ringing", "call.answered"]
    await office.tell()
    [activity] = office.journal.written
    assert activity.who_id == "003A"
    assert activity.direction == "outbound"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("call.hangup", wire.CallHangup),
        ("call.answer", wire.CallAnswer),
        ("call.reject", wire.CallReject),
    ],
)
async def test_it_is_only_followed(
    office: Office, method: str, params: type[wire.Wire]
) -> None:
    call = await at_the_desk(office)
    with pytest.raises(RequestError) as refused:
        await office.ask(method, params(op_id="1", call_id=call.call_id))
    assert refused.value.kind is ErrorKind.CALL_WRONG_STATE


async def test_what_the_rep_writes_is_in_its_activity(office: Office) -> None:
    office.work = WorkRules(is_logged=True, wrap_up_s=60, dispositions=("Sold",))
    call = await at_the_desk(office)
    assert call.work.state is wire.WorkState.OPEN
    await office.ask(
        "work.change",
        wire.WorkChange(op_id="1", call_id=call.call_id, notes="wants two"),
    )
    visited = wire.Record(id="500A", kind="Case", name="Broken", url="https://x/")
    await office.ask("work.visit", wire.WorkVisit(op_id="2", record=visited))
    assert office.one().work.notes == "wants two"
    await office.tell()
    *_, over = office.journal.over
    assert (over.work.notes, over.device) == ("wants two", wire.CallDevice.DESK_PHONE)
    assert [record.id for record in over.work.visited] == ["500A"]
    waiting = office.one()
    assert waiting.work.state is wire.WorkState.WRAP_UP
    result = await office.ask(
        "work.change",
        wire.WorkChange(op_id="3", call_id=call.call_id, disposition="Sold"),
    )
    assert isinstance(result, wire.CallResult)
    result = await office.ask(
        "work.save", wire.WorkSave(op_id="4", call_id=call.call_id)
    )
    assert isinstance(result, wire.CallResult)
    assert result.call.work.state is wire.WorkState.SAVED
    assert office.journal.worked_on[-1].work.disposition == "Sold"


async def test_wrap_up_of_what_rang_here_first_is_for_the_real_end(
    office: Office,
) -> None:
    office.work = WorkRules(is_logged=True, wrap_up_s=60)
    call = await at_the_desk(office)
    assert call.work.state is wire.WorkState.OPEN
    assert call.work.saves_at is None


async def test_the_rep_says_whom_it_is_with(office: Office) -> None:
    office.connector.records = (ANA, BOB)
    call = await at_the_desk(office)
    choose = wire.CallChooseRecord(op_id="1", call_id=call.call_id, record_id="003B")
    await office.ask("call.choose_record", choose)
    assert office.one().match.records[0].id == "003B"
    await office.tell()
    [activity] = office.journal.written
    assert activity.who_id == "003B"
    # Afterwards too.
    choose = wire.CallChooseRecord(op_id="2", call_id=call.call_id, record_id="003A")
    await office.ask("call.choose_record", choose)
    assert [(id, record.id) for id, record in office.journal.renamed] == [
        (call.call_id, "003A")
    ]


async def test_a_contact_made_during_the_call_is_its_contact(office: Office) -> None:
    call = await at_the_desk(office)
    create = wire.ContactCreate(op_id="1", last_name="Ruiz", call_id=call.call_id)
    await office.ask("contact.create", create)
    assert [record.id for record in office.one().match.records] == ["003NEW"]


async def test_the_writers_news_reaches_it(office: Office) -> None:
    call = await at_the_desk(office)
    await office.tell()
    news = wire.ActivityView(state="written", record_id="00T1")
    assert office.desks.activity_changed(ROBIN.key, call.call_id, news)
    assert office.last("call.updated")["call"].activity == news
    assert not office.desks.activity_changed(ROBIN.key, "other", news)
    assert not office.desks.activity_changed(SAM.key, call.call_id, news)


async def test_others_do_not_know_it(office: Office) -> None:
    call = await at_the_desk(office)
    await office.desks.session_opened(SAM)
    await office.desks.session_opened(ELSE)
    for user in (SAM, ELSE):
        assert office.desks.snapshot(user).calls == ()
        with pytest.raises(RequestError) as refused:
            await office.desks.perform(
                user,
                "call.choose_record",
                wire.CallChooseRecord(op_id="1", call_id=call.call_id, record_id="x"),
            )
        assert refused.value.kind is ErrorKind.CALL_UNKNOWN
    # Whose tenant did not ask for it is not followed.
    assert len(office.telephony.subscriptions) == 2
    assert office.desks.snapshot(SAM).rules.desk_phone
    assert not office.desks.snapshot(ELSE).rules.desk_phone
    with pytest.raises(RequestError) as refused:
        await office.desks.perform(
            ELSE,
            "call.create",
            wire.CallCreate(op_id="1", call_id="x", to=ANAS, device="desk_phone"),
        )
    assert refused.value.kind is ErrorKind.POLICY_DENIED


async def test_a_guests_call_at_the_desk_is_logged_as_the_attempt(
    office: Office,
) -> None:
    """What rings here names the invite; the desk phone's dialog alone does not."""
    await office.tell(dialog("confirmed", "g9", remote="sip:guest-77@acme.example"))
    assert office.desks.snapshot(ROBIN).calls == ()
    await office.tell()
    out = await join(office)
    assert out.account is not None
    # As the server forks it: one Call-ID from end to end.
    fork = await office.ring(out.call_id, remote=str(out.account.address))
    call_id = office.one().call_id
    fork.on_event(sip.Cancelled((sip.Reason("SIP", 200),)))
    out.on_event(sip.Answered("sdp"))
    await settle()
    remote = str(out.account.aor)
    await office.tell(dialog("confirmed", out.call_id, remote=remote))
    call = office.one()
    assert (call.call_id, call.device) == (call_id, CallDevice.DESK_PHONE)
    assert call.invite is not None
    out.on_event(sip.RemoteHangup())
    await office.tell()
    [activity] = office.journal.written
    assert "invite" in activity.subject


async def test_a_colleague_who_calls_by_the_gateway_is_a_caller(office: Office) -> None:
    await office.desks.session_opened(SAM)
    [robins, _] = office.telephony.subscriptions
    create = wire.CallCreate(op_id="1", call_id="b1", to="1000", offer="offer")
    await office.desks.perform(SAM, "call.create", create)
    robins.tell(dialog("confirmed", "made-0", remote="sip:1001@acme.example"))
    await settle()
    assert office.one().peer.number == "1001"


async def test_what_is_no_dialog_info_changes_nothing(office: Office) -> None:
    await office.tell(dialog("confirmed"))
    office.phone.notify(sip.Notification("application/dialog-info+xml", b"<x/>"))
    office.phone.notify(sip.Notification("application/dialog-info+xml", b"x" * 99_999))
    await settle()
    assert office.one().state is CallState.ACTIVE


async def test_a_gap_is_asked_for(office: Office) -> None:
    text = (
        b'<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="9" '
        b'state="partial" entity="sip:1000@acme.example"/>'
    )
    office.phone.notify(sip.Notification("application/dialog-info+xml", text))
    assert office.phone.did == ["start", "retry"]


async def test_nobody_tells_any_more(office: Office) -> None:
    await at_the_desk(office)
    office.phone.changed(sip.SubscriptionInfo("failed", "unavailable", 503))
    office.clock.advance(LOST_S)
    await settle()
    [_, over] = office.journal.over
    assert over.reason is EndReason.SERVER_UNAVAILABLE
    assert over.ended_at == 1000.0


async def test_a_refusal_is_said_once(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    refused = sip.SubscriptionInfo("failed", "unsupported", 489)
    with caplog.at_level(logging.WARNING):
        office.phone.changed(refused)
        office.phone.changed(refused)
        await office.desks.session_opened(SAM)
        office.phone.changed(refused)
    assert [record.args[-1] for record in caplog.records] == [489]
    # It is still registered, and calls by the browser go on.
    assert office.registration.state == "registered"


async def test_signed_out_while_the_desk_phone_talks(office: Office) -> None:
    call = await at_the_desk(office)
    await office.desks.session_closed(ROBIN, signed_out=True)
    assert "stop" not in office.phone.did
    # What begins now is not the rep's any more.
    await office.tell(dialog("confirmed"), dialog("confirmed", "c2"))
    await office.tell()
    assert [record.call_id for record in office.journal.over] == [call.call_id] * 2
    assert office.phone.did[-1] == "stop"
    await office.desks.session_opened(ROBIN)
    assert len(office.telephony.subscriptions) == 2


async def test_signed_out_and_in_again_while_it_talks(office: Office) -> None:
    call = await at_the_desk(office)
    await office.desks.session_closed(ROBIN, signed_out=True)
    await office.desks.session_opened(ROBIN)
    assert office.one().call_id == call.call_id
    assert len(office.telephony.subscriptions) == 1


async def test_a_call_that_a_restart_cut_off_goes_on(office: Office) -> None:
    office.journal.past = (
        CallView(
            call_id="old",
            direction="inbound",
            state="ended",
            peer=Peer(number=ANAS, e164=ANAS),
            match=Match(state=MatchState.FOUND, records=()),
            started_at=900_000,
            answered_at=910_000,
            ended_at=950_000,
            end_reason=EndReason.GATEWAY_RESTARTED,
        ),
    )
    await office.desks.session_opened(SAM)
    await office.tell(dialog("confirmed"))
    [call] = office.desks.snapshot(SAM).calls
    assert (call.call_id, call.answered_at) == ("old", 910_000)
    assert [record.call_id for record in office.journal.again] == ["old"]
    await office.tell()
    assert office.journal.over[-1].call_id == "old"
    assert office.journal.written[-1].duration_s == 90


async def test_another_call_is_none_that_a_restart_cut_off(office: Office) -> None:
    office.journal.past = (
        CallView(
            call_id="old",
            direction="outbound",
            state="ended",
            peer=Peer(number=ANAS, e164=ANAS),
            match=Match(state=MatchState.NONE),
            started_at=900_000,
            answered_at=910_000,
            ended_at=950_000,
            end_reason=EndReason.GATEWAY_RESTARTED,
        ),
    )
    await office.desks.session_opened(SAM)
    await office.tell(dialog("confirmed", more="<duration>30</duration>"))
    [call] = office.desks.snapshot(SAM).calls
    assert call.call_id != "old"
    assert call.answered_at == 970_000


async def test_the_gateway_ends_before_the_call(office: Office) -> None:
    await at_the_desk(office)
    await office.desks.close()
    assert office.journal.over[-1].reason is EndReason.GATEWAY_RESTARTED
    assert office.journal.written[-1].outcome == "Interrupted"


async def test_what_is_told_while_the_gateway_ends_is_nothing_new(
    office: Office,
) -> None:
    office.phone.notify(
        sip.Notification("application/dialog-info+xml", b"<x/>", is_last=True)
    )
    await office.desks.close()
    office.phone.tell(dialog("confirmed"), dialog("early", "c2"))
    office.phone.changed(sip.SubscriptionInfo("unsubscribed"))
    assert office.journal.begun == []
    assert office.clock.waiting == 0


# By the desk phone ------------------------------------------------------------------


async def test_dialled_by_a_click(office: Office) -> None:
    office.connector.records = (ANA,)
    result = await office.click()
    assert isinstance(result, wire.CallAnswerResult)
    assert result.answer is None
    assert result.call.state is CallState.CALLING
    assert office.journal.begun[0].call_id == "click"
    [(target, sdp)] = office.telephony.dialled
    assert target == "sip:1000@acme.example"
    assert "c=IN IP4 192.0.2.1" in sdp
    [account] = office.telephony.dialled_by
    assert account.display_name == "Call (202) 555-0143"
    [leg] = office.telephony.legs
    # Our own fork of it does not ring, and is in nobody's way.
    fork = await office.ring("made-0")
    assert fork.did == [("reject", 480)]
    leg.on_event(sip.Progress(180, None, "fork"))
    assert office.one().state is CallState.ALERTING
    leg.on_event(sip.Answered("sdp"))
    assert leg.did == [("transfer", "sip:+12025550143@acme.example")]
    # Dialog-info has both of them.
    to = "sip:+12025550143@acme.example"
    ours = dialog("confirmed", "made-0", direction="initiator")
    await office.tell(ours, dialog("trying", "y1", direction="initiator", remote=to))
    assert office.one().state is CallState.ALERTING
    leg.on_event(sip.TransferProgress(200, True))
    assert office.one().state is CallState.ACTIVE
    assert leg.did[-1] == ("hangup", None)
    leg.on_event(sip.LocalEnd())
    assert office.telephony.removed == [account]
    await office.tell(dialog("confirmed", "y1", direction="initiator", remote=to))
    office.clock.advance(20)
    await office.tell()
    [over] = office.journal.over
    assert (over.call_id, over.number) == ("click", "+12025550143")
    [activity] = office.journal.written
    assert (activity.duration_s, activity.who_id) == (20, "003A")
    assert [kind for kind in office.kinds() if kind != "call.updated"] == [
        "call.ringing",
        "call.answered",
        "call.ended",
    ]


async def test_the_phone_shows_whom_it_will_call(office: Office) -> None:
    record = wire.Record(
        id="003A", kind="Contact", name="Ana Ruiz", url="https://crm/003A"
    )
    await office.click(record=record.model_copy(update={"certainty": "exact"}))
    assert office.telephony.dialled_by[0].display_name == "Call Ana Ruiz"


async def test_one_that_failed_is_not_logged_again_when_it_is_seen(
    office: Office,
) -> None:
    await office.click()
    [leg] = office.telephony.legs
    leg.on_event(sip.Answered("sdp"))
    leg.on_event(sip.TransferProgress(486, True))
    assert office.last("call.ended")["call"].end_reason is EndReason.BUSY
    await office.tell(dialog("trying", "y1", direction="initiator"))
    await office.tell()
    assert [record.call_id for record in office.journal.over] == ["click"]
    # The next one is another.
    await office.tell(dialog("trying", "y2", direction="initiator"))
    assert office.one().call_id != "click"


async def test_what_cannot_be_dialled(office: Office) -> None:
    for fields, kind in (
        ({"to": "no number at all!"}, ErrorKind.NUMBER_INVALID),
        ({"offer": "an offer"}, ErrorKind.BAD_REQUEST),
    ):
        with pytest.raises(RequestError) as refused:
            await office.click(**fields)
        assert refused.value.kind is kind
    office.phone.changed(sip.SubscriptionInfo("failed", "unavailable", 503))
    with pytest.raises(RequestError) as refused:
        await office.click()
    assert refused.value.kind is ErrorKind.REGISTRAR_DOWN
    assert office.journal.begun == []
    assert office.telephony.dialled == []


async def test_one_number_at_a_time(office: Office) -> None:
    await office.click()
    with pytest.raises(RequestError) as refused:
        await office.click()
    assert refused.value.kind is ErrorKind.OP_CONFLICT
    with pytest.raises(RequestError) as refused:
        await office.ask(
            "call.create",
            wire.CallCreate(op_id="2", call_id="b", to=ANAS, device="desk_phone"),
        )
    assert refused.value.kind is ErrorKind.CALL_LIMIT


async def test_signed_out_while_the_desk_phone_rings(office: Office) -> None:
    await office.click()
    await office.desks.session_closed(ROBIN, signed_out=True)
    await settle()
    [leg] = office.telephony.legs
    assert leg.did == [("hangup", None)]
    assert office.journal.over[0].reason is EndReason.CANCELLED_HERE
    assert office.phone.did[-1] == "stop"


async def test_a_colleague_at_the_desk_is_one(office: Office) -> None:
    await office.tell(
        dialog("confirmed", direction="initiator", remote="sip:1001@acme.example")
    )
    assert office.one().type is wire.CallType.INTERNAL
    await office.tell()
    [over] = office.journal.over
    assert over.type is wire.CallType.INTERNAL
