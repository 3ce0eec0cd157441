"""Which calls are logged: a tenant's rules. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.activities.record import CallRecord
from gateway.sessions.wire import CallDevice, CallDirection, CallType, EndReason

# Of standard objects; an organisation's own come from its description.
ABOUT_KINDS = frozenset(
    {
        *("Account", "Asset", "Campaign", "Case", "Contract", "Opportunity"),
        *("Order", "Product2", "Solution"),
    }
)


@dataclass(frozen=True, slots=True)
class LoggingRules:
    """What a tenant wants to have in its CRM; as it stands, everything.

    Attributes:
        internal: calls with colleagues; ``consult``: with somebody about another call.
        missed: incoming calls that nobody answered.
        at_least_s: answered calls are logged from this talk time on.
        voicemail: numbers of mailboxes, which are nobody.
        do_not_disturb: calls that did not ring because of it.
        desk_phone: calls that the rep had there.
        about_kinds: object names of what an activity may be about.
    """

    internal: bool = True
    consult: bool = True
    missed: bool = True
    at_least_s: float = 0.0
    voicemail: frozenset[str] = frozenset()
    do_not_disturb: bool = True
    desk_phone: bool = True
    about_kinds: frozenset[str] = ABOUT_KINDS

    def wants(self, call: CallRecord) -> bool:
        """Whether it is one that is logged, as far as is known by now.

        Short and missed calls are left out as noise. One that the rep has written
        on is none.
        """
        if not self._wants_kind(call):
            return False
        if call.ended_at is None or call.work.is_written_on:
            return True
        if call.answered_at is not None:
            talk_s = max(0.0, call.ended_at - call.answered_at)
            return talk_s >= self.at_least_s
        return self.missed or not is_missed(call)

    def _wants_kind(self, call: CallRecord) -> bool:
        return not (
            (call.type is CallType.INTERNAL and not self.internal)
            or (call.type is CallType.CONSULT and not self.consult)
            or (call.device is CallDevice.DESK_PHONE and not self.desk_phone)
            or (call.reason is EndReason.DO_NOT_DISTURB and not self.do_not_disturb)
            or bool(self.voicemail & {call.number, call.e164})
        )


# What each tenant wants, by its id.
RulesOf = Callable[[str], LoggingRules]


def is_missed(call: CallRecord) -> bool:
    """An incoming call that nobody answered, and nobody declined either."""
    return (
        call.direction is CallDirection.INBOUND
        and call.answered_at is None
        and call.reason not in (EndReason.DECLINED_HERE, EndReason.DECLINED_ELSEWHERE)
    )
