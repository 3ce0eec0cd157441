"""INVITE with Replaces, both ways, in virtual time (RFC 3891)."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

import sip
from sip.message import Request, Response
from tests.sip.peers import ANSWER, OFFER, Bench

CAROL = sip.Uri.parse("sip:carol@example.com")


def replacing(
    bench: Bench,
    replaces: sip.Replaces | str,
    *,
    headers: Sequence[tuple[str, str]] = (),
) -> Request:
    return bench.invite(
        headers=[("Replaces", str(replaces)), *headers], call_id="replacing"
    )


def of(dialog: Response, *, early_only: bool = False) -> sip.Replaces:
    """The agent's dialog in the agent's words; ``dialog`` is its 200 to our INVITE."""
    return sip.Replaces(
        dialog.call_id, dialog.to.tag or "", dialog.from_.tag or "", early_only
    )


def test_a_call_that_takes_the_place_of_another(bench: Bench) -> None:
    old, _, ok = bench.established_incoming()
    invite = replacing(bench, of(ok), headers=[("Require", "replaces")])
    new = bench.calls[-1]
    assert new.replaced is old
    bench.happened()
    new.answer(ANSWER)
    accepted = bench.response(200, "INVITE")
    assert "replaces" in accepted.option_tags("Supported")
    bye = bench.request("BYE")
    assert bye.call_id == old.call_id
    bench.reply(bye, 200)
    bench.happened(sip.Replaced("replacing"))
    bench.within("ACK", accepted, cseq=invite.cseq.number)
    bench.happened(sip.Confirmed(None))
    assert not new.is_ended


def test_a_call_of_ours_is_replaced(bench: Bench) -> None:
    old, invite, _ = bench.established_outgoing()
    replacing(bench, sip.Replaces(invite.call_id, invite.from_.tag or "", "bob"))
    assert bench.calls[-1].replaced is old
    bench.calls[-1].reject(486)
    bench.response(486)
    # refused: the old one goes on
    bench.happened(sip.LocalEnd())
    assert not old.is_ended
    old.transfer(CAROL)
    bench.reply(bench.request("REFER"), 603)


def test_a_call_that_we_make_is_replaced_before_it_is_answered(bench: Bench) -> None:
    old = bench.call()
    invite = bench.request("INVITE")
    bench.reply(invite, 180, tag="bob")
    bench.run()
    bench.events.clear()
    replacing(bench, sip.Replaces(invite.call_id, invite.from_.tag or "", "bob", True))
    new = bench.calls[-1]
    assert new.replaced is old
    new.answer(ANSWER)
    accepted = bench.response(200)
    assert bench.request("CANCEL").call_id == old.call_id
    bench.happened(sip.Replaced("replacing"))
    bench.reply(invite, 487, tag="bob")
    bench.request("ACK")
    bench.within("ACK", accepted, cseq=bench.cseq)
    new.hangup()


def test_answered_calls_are_not_replaced_as_early_ones(bench: Bench) -> None:
    _, _, ok = bench.established_incoming()
    replacing(bench, of(ok, early_only=True))
    bench.response(486, "INVITE")
    assert len(bench.calls) == 1


def test_a_call_that_rings_here_is_not_replaced(bench: Bench) -> None:
    bench.invite()
    bench.calls[0].ring()
    ringing = bench.response(180)
    replacing(bench, of(ringing))
    bench.response(481, "INVITE")
    bench.calls[0].reject(480)


@pytest.mark.parametrize(
    ("replaces", "status"),
    [
        ("nobody;to-tag=b;from-tag=a", 481),
        ("malformed", 400),
        ("c;to-tag=b;from-tag=a, d;to-tag=b;from-tag=a", 400),
    ],
)
def test_what_is_not_there(bench: Bench, replaces: str, status: int) -> None:
    replacing(bench, replaces)
    bench.response(status, "INVITE")
    assert not bench.calls


def test_a_call_that_has_just_ended(bench: Bench) -> None:
    call, _, ok = bench.established_incoming()
    call.hangup()
    bye = bench.request("BYE")
    replacing(bench, of(ok))
    bench.response(603, "INVITE")
    bench.reply(bye, 200)
    bench.cseq += 1
    replacing(bench, of(ok))
    bench.response(603, "INVITE")
    # and after a while it is as if it had never been
    bench.run(60)
    bench.cseq += 1
    replacing(bench, of(ok))
    bench.response(481, "INVITE")


def test_another_accounts_call(bench: Bench) -> None:
    other = sip.Uri.parse("sip:other@example.com")
    stranger = Bench(aor=other).account
    bench.agent.add_account(stranger)
    _, _, ok = bench.established_incoming()
    bench.invite(
        uri=str(other),
        to=str(other),
        headers=[("Replaces", str(of(ok)))],
        call_id="replacing",
    )
    bench.response(481, "INVITE")
    assert len(bench.calls) == 1


def test_a_contact_that_is_registered_nowhere(bench: Bench) -> None:
    """The INVITE goes to our Contact in the call, by which nobody else may call."""
    call, invite, _ = bench.established_outgoing()
    assert invite.contact is not None
    contact = str(invite.contact.uri)
    named = sip.Replaces(invite.call_id, invite.from_.tag or "", "bob")
    bench.invite(
        uri=contact, to=contact, headers=[("Replaces", str(named))], call_id="replacing"
    )
    assert bench.calls[-1].replaced is call
    bench.calls[-1].reject(486)
    bench.response(486)
    bench.invite(uri=contact, to=contact, call_id="without")
    bench.response(404)


def test_a_peer_without_tags(bench: Bench) -> None:
    """RFC 3891 3: zero stands for none."""
    old = bench.call()
    invite = bench.request("INVITE")
    ok = bench.reply(invite, 200, sdp=ANSWER)
    assert ok.to.tag is None
    bench.request("ACK")
    bench.run()
    bench.events.clear()
    replacing(bench, sip.Replaces(invite.call_id, invite.from_.tag or "", "0"))
    assert bench.calls[-1].replaced is old
    bench.calls[-1].reject(486)


def test_replaces_belongs_to_invite(bench: Bench) -> None:
    _, _, ok = bench.established_incoming()
    bench.within("INFO", ok, headers=[("Replaces", str(of(ok)))])
    bench.response(400, "INFO")
    bench.happened()


def test_we_take_the_place_of_another(bench: Bench) -> None:
    call = bench.agent.call(
        bench.account,
        CAROL,
        OFFER,
        bench.events.append,
        replaces=sip.Replaces("c", "b", "a"),
        referred_by=sip.NameAddr.parse('"Ana" <sip:ana@example.net>'),
    )
    invite = bench.request("INVITE")
    assert invite.headers.get("Replaces") == "c;to-tag=b;from-tag=a"
    assert invite.option_tags("Require") == {"replaces"}
    assert invite.headers.get("Referred-By") == '"Ana" <sip:ana@example.net>'
    assert "replaces" in invite.option_tags("Supported")
    assert "REFER" in (invite.headers.get("Allow") or "")
    bench.reply(invite, 481, tag="carol")
    bench.request("ACK")
    bench.run()
    assert isinstance(bench.events[-1], sip.Rejected)
    assert call.is_ended


def test_a_replaces_that_would_smuggle_a_header(bench: Bench) -> None:
    with pytest.raises(sip.InvalidValue):
        bench.agent.call(
            bench.account,
            CAROL,
            OFFER,
            bench.events.append,
            replaces=sip.Replaces("c\r\nX: y", "b", "a"),
        )
    assert not bench.agent.calls
