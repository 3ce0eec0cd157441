"""What gets written to the CRM, when, and exactly once."""

from gateway.activities.composer import compose, compose_next_step, links
from gateway.activities.dead_letters import DeadLetter, list_dead_letters, retry
from gateway.activities.meetings import (
    Invitee,
    InviteFacts,
    meeting_of,
    no_show_of,
)
from gateway.activities.record import CallRecord, InviteOfCall
from gateway.activities.recovery import recover
from gateway.activities.writer import ActivityChange, ActivityWriter

__all__ = [
    "ActivityChange",
    "ActivityWriter",
    "CallRecord",
    "DeadLetter",
    "InviteFacts",
    "InviteOfCall",
    "Invitee",
    "compose",
    "compose_next_step",
    "links",
    "list_dead_letters",
    "meeting_of",
    "no_show_of",
    "recover",
    "retry",
]
