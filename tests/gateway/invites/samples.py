"""Reps, invites and what is around them, for the tests of invites."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from gateway.identity.users import User, UserKey
from gateway.invites.mail import Envelope, compose
from gateway.invites.model import Guest, Invite, Mail, MailContent
from gateway.sessions import wire
from gateway.sessions.wire import Event, GuestRole

# A Tuesday, 1 December 2026, 15:00 UTC.
T0 = 1_796_137_200.0
SECRET = "k" * 32
PUBLIC_URL = "https://calls.acme.example"
TOKEN = "T" * 32

ROBIN = User(
    key=UserKey("acme", "robin"),
    name="Robin Reyes",
    number="1000",
    company="Acme Corp",
    email="robin@acme.example",
)
SAM = User(key=UserKey("acme", "sam"), name="Sam Okafor", number="1001")
# Another company's rep with the same id.
EVE = User(
    key=UserKey("evil", "robin"), name="Eve", number="1", email="eve@evil.example"
)
USERS = (ROBIN, SAM, EVE)


def a_guest(number: int = 1, **changes: Any) -> Guest:
    values: dict[str, Any] = {
        "guest_id": f"{number:032x}",
        "name": f"Guest {number}",
        "email": f"guest{number}@customer.example",
    }
    return Guest(**values | changes)


def an_invite(**changes: Any) -> Invite:
    values: dict[str, Any] = {
        "tenant": "acme",
        "invite_id": "invite-1",
        "host": ROBIN.key,
        "subject": "Your offer",
        "text": "See you there.",
        "starts_at": T0,
        "ends_at": T0 + 1800,
        "time_zone": "Europe/Berlin",
        "language": "en",
        "guests": (a_guest(1), a_guest(2)),
        "created_at": T0 - 3600,
    }
    return Invite(**values | changes)


def content(**changes: Any) -> MailContent:
    values: dict[str, Any] = {
        "guest_name": "Ana Ruiz",
        "guest_email": "ana@customer.example",
        "host_name": "Robin Reyes",
        "host_email": "robin@acme.example",
        "company": "Acme Corp",
        "subject": "Your offer",
        "text": "",
        "starts_at": T0,
        "ends_at": T0 + 1800,
        "opens_before_s": 600,
        "time_zone": "Europe/Berlin",
        "language": "en",
        "sequence": 0,
    }
    return MailContent(**values | changes)


def message_of(mail: Mail) -> bytes:
    return compose(
        mail.kind,
        mail.content,
        Envelope(
            sender="invites@acme.example",
            host="calls.acme.example",
            uid=mail.guest_id,
            mail_id=f"{mail.guest_id}.{mail.id}",
            link=f"https://calls.acme.example/join/{TOKEN}",
            made_at=mail.created_at,
        ),
    )


def a_draft(*, at: float = T0, minutes: float = 30, **changes: Any) -> wire.InviteDraft:
    values: dict[str, Any] = {
        "subject": "Your offer",
        "text": "See you there.",
        "starts_at": int(at * 1000),
        "ends_at": int((at + minutes * 60) * 1000),
        "time_zone": "Europe/Berlin",
        "guests": (ana(),),
    }
    return wire.InviteDraft(**values | changes)


def ana(**changes: Any) -> wire.GuestDraft:
    values: dict[str, Any] = {"name": "Ana Ruiz", "email": "ana@customer.example"}
    return wire.GuestDraft(**values | changes)


def expert(**changes: Any) -> wire.GuestDraft:
    values: dict[str, Any] = {
        "name": "Kim Expert",
        "email": "kim@acme.example",
        "role": GuestRole.COLLEAGUE,
    }
    return wire.GuestDraft(**values | changes)


class News:
    """A publisher that remembers."""

    def __init__(self) -> None:
        self.events: list[tuple[UserKey, type[Event], dict[str, Any]]] = []

    def publish(self, user: UserKey, event: type[Event], **fields: Any) -> None:
        event(seq=1, at=0, **fields)
        self.events.append((user, event, fields))

    def of(self, user: UserKey, event: type[Event]) -> list[dict[str, Any]]:
        return [f for who, kind, f in self.events if (who, kind) == (user, event)]


class VirtualTime:
    """A clock and its timers; time passes only by :meth:`pass_to`."""

    def __init__(self, now: float = T0 - 3600) -> None:
        self.now = now
        self._alarms: list[Alarm] = []

    def __call__(self) -> float:
        return self.now

    def later(self, delay: float, call: Callable[[], None]) -> Alarm:
        alarm = Alarm(self.now + delay, call, self._alarms)
        self._alarms.append(alarm)
        return alarm

    @property
    def alarm_count(self) -> int:
        return len(self._alarms)

    async def pass_to(self, at: float, settle: Callable[[], Any]) -> None:
        """Let time pass; after each alarm ``settle`` is awaited."""
        while due := [alarm for alarm in self._alarms if alarm.at <= at]:
            alarm = min(due, key=lambda each: each.at)
            self._alarms.remove(alarm)
            self.now = max(self.now, alarm.at)
            alarm.call()
            await settle()
        self.now = at
        await asyncio.sleep(0)


class Alarm:
    def __init__(
        self, at: float, call: Callable[[], None], alarms: list[Alarm]
    ) -> None:
        self.at = at
        self.call = call
        self._alarms = alarms

    def cancel(self) -> None:
        if self in self._alarms:
            self._alarms.remove(self)
