"""The call journal: one row, one activity, whatever is repeated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.activities.composer import compose, links
from gateway.activities.record import InviteOfCall, Party
from gateway.crm.connector import MatchCertainty
from gateway.identity.users import UserKey
from gateway.sessions.wire import ActivityState, CallType, EndReason
from gateway.storage import CallJournal, Database, Outbox, OutboxState, StorageError
from tests.gateway.storage.samples import (
    ALEX,
    ANA,
    BEN,
    CLEO,
    DEAL,
    GUEST,
    HOSTS_SIDE,
    T0,
    attempt,
    ended,
    started,
)


async def waiting(outbox: Outbox) -> list[str]:
    entries = await outbox.listing(state=OutboxState.WAITING)
    return [entry.activity.key for entry in entries]


async def test_end_and_activity_are_kept_together_and_once(
    journal: CallJournal, outbox: Outbox
) -> None:
    call, activity = ended()
    await journal.started(started())
    await journal.answered(ALEX.key, "call-1", T0 + 5.0)
    assert await journal.ended(call, activity)
    assert not await journal.ended(call, activity)
    later = replace(call, ended_at=T0 + 900.0, reason=EndReason.GATEWAY_RESTARTED)
    assert not await journal.ended(later, activity)
    await journal.started(started())
    await journal.answered(ALEX.key, "call-1", T0 + 999.0)

    (entry,) = await journal.history(ALEX.key)
    assert entry.call == call
    assert entry.activity.state is ActivityState.WAITING
    assert await waiting(outbox) == ["call:call-1"]
    (row,) = await outbox.listing(state=OutboxState.WAITING)
    assert row.activity == activity
    assert await journal.open_calls() == ()


async def test_an_end_without_its_start_is_kept_whole(
    journal: CallJournal, outbox: Outbox
) -> None:
    call, activity = ended()
    assert await journal.ended(call, activity)
    (entry,) = await journal.history(ALEX.key)
    assert entry.call == call
    assert await waiting(outbox) == ["call:call-1"]


async def test_an_unlogged_end_has_no_activity(
    journal: CallJournal, outbox: Outbox
) -> None:
    call, _ = ended()
    call = replace(call, answered_at=None, reason=EndReason.ANSWERED_ELSEWHERE)
    await journal.ended(call, None)
    (entry,) = await journal.history(ALEX.key)
    assert entry.activity.state is ActivityState.NONE
    assert await waiting(outbox) == []


async def test_the_end_is_not_kept_when_its_activity_cannot_be(
    journal: CallJournal, outbox: Outbox
) -> None:
    call, activity = ended()
    await journal.started(started())
    broken = replace(activity, key="call:" + "x" * 500, who_id="\x00")
    broken = replace(broken, duration_s=object())  # type: ignore[arg-type]
    with pytest.raises((StorageError, TypeError)):
        await journal.ended(call, broken)
    assert len(await journal.open_calls()) == 1
    assert await waiting(outbox) == []


async def test_open_calls_are_this_nodes(database: Database) -> None:
    one, other = CallJournal(database, node="a"), CallJournal(database, node="b")
    await one.started(started("first", at=T0))
    await one.started(started("second", at=T0 + 1))
    await other.started(started("theirs"))
    await one.answered(ALEX.key, "second", T0 + 7)
    await one.seen(T0 + 30)
    found = await one.open_calls()
    assert [entry.call.call_id for entry in found] == ["first", "second"]
    assert [entry.seen_at for entry in found] == [T0 + 30, T0 + 30]
    assert found[1].call.answered_at == T0 + 7
    (theirs,) = await other.open_calls()
    assert theirs.seen_at == T0


async def test_history_is_newest_first_and_pages(journal: CallJournal) -> None:
    for number in range(5):
        await journal.ended(*ended(f"call-{number}", at=T0 + 100 * number))
    await journal.started(started("open", at=T0 + 1000))
    first = await journal.history(ALEX.key, limit=2)
    assert [entry.call.call_id for entry in first] == ["call-4", "call-3"]
    second = await journal.history(ALEX.key, limit=9, before=first[-1].call.started_at)
    assert [entry.call.call_id for entry in second] == ["call-2", "call-1", "call-0"]


async def test_the_same_call_id_of_another_tenant_is_another_call(
    journal: CallJournal, outbox: Outbox
) -> None:
    mallory = replace(ALEX, key=UserKey("other", "alex"))
    colleague = replace(ALEX, key=UserKey("acme", "sam"))
    await journal.started(started())
    for user in (mallory, colleague):
        await journal.answered(user.key, "call-1", T0 + 1)
        await journal.record_chosen(
            user.key, "call-1", BEN, who_id=BEN.id, what_id="", now=T0
        )
        assert await journal.history(user.key) == ()
    (mine,) = await journal.open_calls()
    assert mine.call == started()
    await journal.ended(*ended(user=mallory))
    (mine,) = await journal.open_calls()
    assert mine.call == started()
    await journal.ended(*ended())
    assert await waiting(outbox) == ["call:call-1", "call:call-1"]
    assert await outbox.retry("nobody", now=T0, call_id="call-1") == 0


async def test_a_colleagues_call_id_takes_nobodys_activity(
    journal: CallJournal, outbox: Outbox
) -> None:
    sam = replace(ALEX, key=UserKey("acme", "sam"))
    await journal.ended(*ended())
    await journal.ended(*ended(user=sam))
    assert await waiting(outbox) == ["call:call-1", "call:call-1:sam"]


async def test_choosing_a_record_moves_the_activity(
    journal: CallJournal, outbox: Outbox
) -> None:
    call, activity = ended()
    await journal.ended(call, replace(activity, who_id="", match_number=call.e164))
    for _ in range(2):
        await journal.record_chosen(
            ALEX.key, "call-1", BEN, who_id=BEN.id, what_id="", now=T0 + 99
        )
    (row,) = await outbox.listing(state=OutboxState.WAITING)
    assert (row.activity.who_id, row.activity.match_number) == (BEN.id, "")
    assert row.revision == 2
    (entry,) = await journal.history(ALEX.key)
    assert entry.call.record == BEN


async def test_choosing_after_the_write_has_it_written_again(
    journal: CallJournal, outbox: Outbox
) -> None:
    await journal.ended(*ended())
    (claimed,) = await outbox.claim("acme", now=T0 + 70, limit=1, lease_s=60)
    assert await outbox.mark_written(claimed, record_id="00T1", url="https://x/00T1")
    await journal.record_chosen(
        ALEX.key, "call-1", BEN, who_id=BEN.id, what_id="", now=T0 + 99
    )
    (again,) = await outbox.claim("acme", now=T0 + 99, limit=1, lease_s=60)
    assert again.activity.who_id == BEN.id
    # Chosen once more while this one is being written: it settles nothing.
    await journal.record_chosen(
        ALEX.key, "call-1", ANA, who_id=ANA.id, what_id="", now=T0 + 100
    )
    assert not await outbox.mark_written(again, record_id="00T1", url="https://x/00T1")
    (third,) = await outbox.claim("acme", now=T0 + 100, limit=1, lease_s=60)
    assert third.activity.who_id == ANA.id
    assert await outbox.mark_written(third, record_id="00T1", url="https://x/00T1")
    (entry,) = await journal.history(ALEX.key)
    assert entry.activity.state is ActivityState.WRITTEN
    assert entry.activity.record_id == "00T1"


async def test_a_record_survives_the_round_trip(journal: CallJournal) -> None:
    call, activity = ended()
    possible = replace(
        ANA, certainty=MatchCertainty.POSSIBLE, name="Zoë 電話 \U0001f4de"
    )
    call = replace(call, record=possible, display_name="名" * 255, sip_code=487)
    call = replace(call, transferred_to="Ben (1004)")
    await journal.ended(call, activity)
    (entry,) = await journal.history(ALEX.key)
    assert entry.call == call


async def test_the_invite_of_a_call_is_kept(
    journal: CallJournal, outbox: Outbox
) -> None:
    guests = replace(attempt(), ended_at=T0 + 9, reason=EndReason.MISSED)
    hosts = replace(ended()[0], invite=HOSTS_SIDE)
    await journal.started(attempt())
    (still,) = await journal.open_calls()
    assert still.call == attempt()
    await journal.ended(guests, compose(guests, ALEX))
    await journal.ended(hosts, compose(hosts, ALEX))
    # One Task; the host sees the call once, and it is not the guest's.
    assert await waiting(outbox) == ["call:attempt-1"]
    (entry,) = await journal.history(ALEX.key)
    assert entry.call == hosts
    # What is written of the attempt is what the host wants to know of the call.
    assert entry.activity.state is ActivityState.WAITING
    (theirs,) = await journal.history(GUEST)
    assert theirs.activity.state is ActivityState.WAITING


@pytest.mark.parametrize(
    "invite",
    [
        # Of an older version, of an attempt that goes on, of another tenant's.
        replace(HOSTS_SIDE, guest_user="", attempt_id=""),
        replace(HOSTS_SIDE, attempt_id="attempt-2"),
        replace(HOSTS_SIDE, guest_user="guest:2"),
        HOSTS_SIDE,
    ],
)
async def test_a_hosts_side_shows_no_other_activity(
    journal: CallJournal, invite: InviteOfCall
) -> None:
    tenant = "evil" if invite is HOSTS_SIDE else "acme"
    guests = replace(
        attempt(),
        user=replace(GUEST, tenant=tenant),
        ended_at=T0 + 9,
        reason=EndReason.MISSED,
    )
    await journal.ended(guests, compose(guests, ALEX))
    await journal.ended(replace(ended()[0], invite=invite), None)
    call, activity = ended("another", at=T0 - 60)
    await journal.ended(call, activity)
    hosts, other = await journal.history(ALEX.key)
    assert hosts.activity.state is ActivityState.NONE
    assert other.activity.state is ActivityState.WAITING


async def test_a_choice_leaves_what_it_was_about(
    journal: CallJournal, outbox: Outbox
) -> None:
    guests = replace(attempt(), ended_at=T0 + 9, reason=EndReason.MISSED)
    await journal.ended(guests, compose(guests, ALEX))
    who_id, what_id = links(BEN, DEAL)
    await journal.record_chosen(
        GUEST, "attempt-1", BEN, who_id=who_id, what_id=what_id, now=T0 + 99
    )
    (row,) = await outbox.listing(state=OutboxState.WAITING)
    assert (row.activity.who_id, row.activity.what_id) == (BEN.id, DEAL.id)
    assert row.activity.user.id == ALEX.crm_user_id


async def test_a_call_that_goes_on_elsewhere_ends_anew(
    journal: CallJournal, outbox: Outbox
) -> None:
    """One row and one activity, those of the last end."""
    call, activity = ended()
    missed = replace(call, answered_at=None, reason=EndReason.MISSED)
    before = compose(missed, ALEX)
    assert before is not None
    await journal.ended(missed, before)
    (entry,) = await outbox.claim(ALEX.key.tenant, now=T0 + 1000.0, limit=1, lease_s=9)
    await outbox.mark_written(entry, record_id="00T1", url="https://crm/00T1")

    resumed = replace(started(), answered_at=None)
    for _ in range(2):
        await journal.resumed(resumed)
        (open_call,) = await journal.open_calls()
        assert open_call.call == resumed
        assert await journal.history(ALEX.key) == ()
    await journal.answered(ALEX.key, "call-1", T0 + 5.0)
    assert await journal.ended(call, activity)
    assert not await journal.ended(missed, before)

    (kept,) = await journal.history(ALEX.key)
    assert kept.call == call
    (row,) = await outbox.listing(state=OutboxState.WAITING)
    assert row.activity == activity
    assert row.record_id == "00T1"
    assert await journal.count(ALEX.key.tenant) == 1


async def test_one_that_goes_on_and_was_not_kept_is_kept(journal: CallJournal) -> None:
    await journal.resumed(started())
    (open_call,) = await journal.open_calls()
    assert open_call.call == started()


async def test_whom_a_call_was_with_before_is_kept(
    journal: CallJournal, outbox: Outbox
) -> None:
    """Also when the gateway dies before the call ends."""
    first = Party("+14155551212", "+14155551212", "ANA", ANA)
    passed = replace(
        started(),
        number="102",
        e164="",
        display_name="Ben",
        record=BEN,
        type=CallType.INTERNAL,
        earlier=(first,),
    )
    await journal.started(started())
    for _ in range(2):
        await journal.passed_on(passed)
        (open_call,) = await journal.open_calls()
        assert open_call.call == passed
    over = replace(
        passed, answered_at=T0 + 1.0, ended_at=T0 + 9.0, reason=EndReason.HUNG_UP_HERE
    )
    assert await journal.ended(over, compose(over, ALEX))
    # What is said of an ended call comes too late.
    await journal.passed_on(replace(passed, number="103"))
    (kept,) = await journal.history(ALEX.key)
    assert kept.call == over
    (row,) = await outbox.listing(state=OutboxState.WAITING)
    assert (row.activity.who_id, row.activity.contact_ids) == (BEN.id, (ANA.id,))


async def test_one_that_is_passed_on_and_was_not_kept_is_kept(
    journal: CallJournal,
) -> None:
    passed = replace(started(), earlier=(CLEO,))
    await journal.passed_on(passed)
    (open_call,) = await journal.open_calls()
    assert open_call.call == passed
