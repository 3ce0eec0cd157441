"""Reads the service's counters where they are kept, for ``/metrics``."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, Protocol

from gateway.operations.metrics import Reading

PREFIX = "ringbridge"
MEDIA_GAUGES = {
    "workers": "Media workers configured.",
    "workers_alive": "Media workers alive.",
    "open_calls": "Calls in media.",
    "port_pairs_in_use": "RTP and RTCP port pairs of calls.",
    "port_pairs_in_quarantine": "Port pairs of finished calls, not yet quiet.",
    "bound_paths": "Addresses of browsers that passed a check.",
    "calls": "Calls as the workers count them.",
    "open_rooms": "Rooms of meetings in media.",
    "rooms": "Rooms as the workers count them.",
    "room_members": "Browsers that are in a room.",
    "forwarded_streams": "Streams from one browser of a room to another.",
    "mixed_calls": "Calls whose far end hears other far ends.",
    "tasks": "Tasks of the workers.",
    "file_descriptors": "Open files of the workers.",
    "cpu_ms": "CPU time of the workers, ms; starts anew with each.",
}


class Calls(Protocol):
    """Of ``gateway.calls.service.CallService``."""

    @property
    def active_calls(self) -> int: ...
    @property
    def joined_calls(self) -> int: ...
    @property
    def registrations(self) -> Mapping[Any, int]: ...
    @property
    def counters(self) -> Any: ...
    @property
    def guest_counters(self) -> Any: ...
    @property
    def referral_counters(self) -> Any: ...


class Sessions(Protocol):
    """Of ``gateway.sessions.directory.SessionDirectory``."""

    @property
    def session_count(self) -> int: ...
    @property
    def attached_count(self) -> int: ...
    @property
    def counters(self) -> Any: ...


class Counted(Protocol):
    """Whoever keeps its numbers in a dataclass."""

    @property
    def counters(self) -> Any: ...


class Crm(Protocol):
    """Of a connector: its allowance."""

    @property
    def api_usage(self) -> float | None: ...
    @property
    def held_back(self) -> int: ...


class Invites(Protocol):
    """Of ``gateway.invites.assembly.Invites``."""

    @property
    def waiting_count(self) -> int: ...
    @property
    def guest_count(self) -> int: ...
    @property
    def guests_in_call(self) -> int: ...
    @property
    def counters(self) -> Any: ...
    @property
    def mail_counters(self) -> Any: ...
    @property
    def bounce_counters(self) -> Any: ...


class Engine(Protocol):
    """Of ``gateway.media.relay.RelayEngine``."""

    def counters(self) -> Mapping[str, int]:
        """With gauges ``open_calls`` and ``workers_alive``; the rest only grow."""


class ServiceReadings:
    """One moment of the whole service."""

    def __init__(
        self,
        *,
        calls: Calls,
        sessions: Sessions,
        engine: Engine,
        agent: Counted,
        journal: Counted,
        writer: Counted,
        invites: Invites,
        housekeeping: Counted,
        crms: Mapping[str, Crm],
    ) -> None:
        self._calls = calls
        self._sessions = sessions
        self._engine = engine
        self._agent = agent
        self._journal = journal
        self._writer = writer
        self._invites = invites
        self._housekeeping = housekeeping
        self._crms = crms

    def read(self) -> Iterable[Reading]:
        """All families."""
        calls = self._calls.counters
        yield _gauge("calls_active", "Calls going on.", self._calls.active_calls)
        yield _gauge(
            "calls_joined",
            "Transferred calls that go on here without a rep.",
            self._calls.joined_calls,
        )
        yield _counter("calls_started", "Calls begun.", {"": calls.started})
        yield _counter(
            "calls_ended", "Calls ended, by reason.", dict(calls.ended), "reason"
        )
        yield _counter("calls_refused", "INVITEs refused.", {"": calls.refused})
        yield Reading(
            f"{PREFIX}_registrations",
            "Phone accounts, by state.",
            {str(state): count for state, count in self._calls.registrations.items()},
            "state",
        )
        sessions = self._sessions
        yield _gauge("sessions", "Sessions of reps.", sessions.session_count)
        yield _gauge(
            "sessions_attached", "Sessions with a socket.", sessions.attached_count
        )
        yield _gauge("tasks", "Tasks of the control process.", len(asyncio.all_tasks()))
        invites = self._invites
        mails = _numbers(invites.mail_counters)
        for name, help_, amount in (
            ("invites", "Video invites to come or going on.", invites.waiting_count),
            ("guests", "Guests who came in by a link.", invites.guest_count),
            ("guests_in_call", "Guests in a call.", invites.guests_in_call),
            ("mails_waiting", "Mails of invites to be sent.", mails.pop("waiting")),
        ):
            yield _gauge(name, help_, amount)
        yield Reading(
            f"{PREFIX}_crm_api_usage",
            "Share of the CRM's API allowance that is used, where it is known.",
            {
                tenant: usage
                for tenant, crm in self._crms.items()
                if (usage := crm.api_usage) is not None
            },
            "tenant",
        )
        yield _counter(
            "crm_requests_held_back",
            "Requests to the CRM that were to wait, its allowance nearly used up.",
            {tenant: crm.held_back for tenant, crm in self._crms.items()},
            "tenant",
        )
        media = dict(self._engine.counters())
        for name, help_ in MEDIA_GAUGES.items():
            yield _gauge(f"media_{name}", help_, media.pop(name, 0))
        for name, numbers in (
            ("session_events", _numbers(sessions.counters)),
            ("guest_call_events", _numbers(self._calls.guest_counters)),
            ("referral_events", _numbers(self._calls.referral_counters)),
            ("media_events", media),
            ("sip_events", dict(self._agent.counters)),
            ("journal_events", _numbers(self._journal.counters)),
            ("invite_events", _numbers(invites.counters)),
            ("mail_events", mails),
            ("bounce_events", _numbers(invites.bounce_counters)),
            ("forgotten", _numbers(self._housekeeping.counters)),
            ("activity_events", _numbers(self._writer.counters)),
        ):
            yield _counter(name, f"Counts of {name}.", numbers, "kind")


def _gauge(name: str, help_: str, value: float) -> Reading:
    return Reading(f"{PREFIX}_{name}", help_, {"": value})


def _counter(
    name: str, help_: str, values: Mapping[str, int], label: str = ""
) -> Reading:
    return Reading(f"{PREFIX}_{name}", help_, values, label, is_counter=True)


def _numbers(counters: Any) -> dict[str, int]:
    return {field.name: getattr(counters, field.name) for field in fields(counters)}
