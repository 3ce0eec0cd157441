"""The examples of PROTOCOL.md, built from the types, so that none can be wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass

from gateway.sessions import frames, wire
from gateway.sessions.wire import ErrorKind, Event, Wire

_SESSION = "5f0c2a9e8d1b4c7fa3e6d2b1c0f9a8e7"
_CALL = "0193a5c2-7b1e-7c44-9a5b-3f2d1e0c9b8a"
_CONTACT = "003Qy00000A1b2cIAB"
_FIRST_TOKEN = "f4QmXc1-first"  # noqa: S105
_SECOND_TOKEN = "9sKd2Lw-second"  # noqa: S105
_AT = 1_795_000_000_000
_OFFER = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\n…"
_ANSWER = "v=0\r\no=- 1 1 IN IP4 203.0.113.10\r\ns=-\r\na=ice-lite\r\n…"

ANA = wire.Record(
    id=_CONTACT,
    kind="Contact",
    name="Ana Ruiz",
    url="https://acme.lightning.force.com/lightning/r/Contact/003Qy00000A1b2cIAB/view",
    company="Acme Corp",
    phone="(646) 555-0175",
)

INCOMING = wire.CallView(
    call_id=_CALL,
    direction=wire.CallDirection.INBOUND,
    state=wire.CallState.RINGING,
    peer=wire.Peer(
        number="+16465550175", national="(646) 555-0175", e164="+16465550175"
    ),
    match=wire.Match(state=wire.MatchState.FOUND, records=(ANA,)),
    started_at=_AT,
)

ANSWERED = INCOMING.model_copy(
    update={"state": wire.CallState.ACTIVE, "answered_at": _AT + 4000}
)

ENDED = ANSWERED.model_copy(
    update={
        "state": wire.CallState.ENDED,
        "ended_at": _AT + 90_000,
        "end_reason": wire.EndReason.HUNG_UP_THERE,
        "activity": wire.ActivityView(state=wire.ActivityState.WAITING),
    }
)

SNAPSHOT = wire.Snapshot(
    user=wire.UserView(
        id="rita", name="Rita Rep", number="1001", tenant="acme", company="Acme Corp"
    ),
    registration=wire.Registration(state=wire.RegistrationState.REGISTERED),
    calls=(),
    crm="Salesforce",
    country="US",
    server_time=_AT,
)


@dataclass(frozen=True, slots=True)
class Example:
    """A few frames with a title; ``to_server`` tells the direction of each."""

    title: str
    frames: tuple[tuple[bool, str], ...]


def examples() -> tuple[Example, ...]:
    """In the order in which a session meets them."""
    hello = wire.SessionHello(
        ticket="Vb3lq0Zr8nYw5xkTt1oJmU2sGd7eHc4aPf6iKjLzQ9E",
        client=wire.Client(
            name="ringbridge-widget", version="1.0.0", instance_id="load-7f3a"
        ),
    )
    greeting = wire.SessionHelloResult(
        session_id=_SESSION,
        resume_token=_FIRST_TOKEN,
        seq=0,
        snapshot=SNAPSHOT,
    )
    resume = wire.SessionResume(
        session_id=_SESSION,
        resume_token=_FIRST_TOKEN,
        instance_id="load-7f3a",
        last_seq=1,
    )
    answer = wire.CallAnswer(
        op_id="0193a5c2-8000-7000-8000-000000000001", call_id=_CALL, offer=_OFFER
    )
    hangup = wire.CallHangup(
        op_id="0193a5c2-9000-7000-8000-000000000002", call_id=_CALL
    )
    unknown = wire.ErrorData(kind=ErrorKind.CALL_UNKNOWN, op_id=hangup.op_id)
    return (
        Example(
            "A page opens",
            (
                (True, _request(1, "session.hello", hello)),
                (False, _result(1, greeting)),
            ),
        ),
        Example(
            "A call comes in, is answered, and ends at the other side",
            (
                (False, _event(wire.CallIncomingEvent(seq=1, at=_AT, call=INCOMING))),
                (True, _request(2, "call.answer", answer)),
                (
                    False,
                    _event(wire.CallAnsweredEvent(seq=2, at=_AT + 4000, call=ANSWERED)),
                ),
                (
                    False,
                    _result(2, wire.CallAnswerResult(call=ANSWERED, answer=_ANSWER)),
                ),
                (True, _notification("session.ack", wire.SessionAck(seq=2))),
                (
                    False,
                    _event(wire.CallEndedEvent(seq=3, at=_AT + 90_000, call=ENDED)),
                ),
            ),
        ),
        Example(
            "The network changes: the same page resumes and gets what it missed",
            (
                (True, _request(1, "session.resume", resume)),
                (
                    False,
                    _result(
                        1,
                        wire.SessionResumeResult(
                            resumed=True,
                            resume_token=_SECOND_TOKEN,
                            seq=2,
                            replay_from=2,
                        ),
                    ),
                ),
                (
                    False,
                    _event(wire.CallAnsweredEvent(seq=2, at=_AT + 4000, call=ANSWERED)),
                ),
            ),
        ),
        Example(
            "A request that cannot be done",
            (
                (True, _request(3, "call.hangup", hangup)),
                (
                    False,
                    _pretty(
                        frames.response(
                            3,
                            frames.error_outcome(
                                frames.APPLICATION_ERROR,
                                "There is no such call.",
                                unknown,
                            ),
                        )
                    ),
                ),
            ),
        ),
    )


def _request(request_id: int, method: str, params: Wire) -> str:
    return _indented(
        {
            "jsonrpc": "2.0",
            "id": request_id,
            "method": method,
            "params": _object(params),
        }
    )


def _notification(method: str, params: Wire) -> str:
    return _indented({"jsonrpc": "2.0", "method": method, "params": _object(params)})


def _result(request_id: int, result: Wire) -> str:
    return _pretty(frames.response(request_id, frames.result_outcome(result)))


def _event(event: Event) -> str:
    return _pretty(frames.notification(event))


def _object(message: Wire) -> object:
    return message.model_dump(mode="json", exclude_none=True, exclude_defaults=True)


def _pretty(frame: str) -> str:
    return _indented(json.loads(frame))


def _indented(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
