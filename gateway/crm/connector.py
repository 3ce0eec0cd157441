"""What the gateway asks of a CRM, whichever it is (architecture: crm/connector)."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

# As many as a list under a search field shows.
MAX_PEOPLE = 10
# As many numbers to call as a list under a dial field shows.
MAX_CALLABLE = 20


class CrmError(Exception):
    """Root of CRM failures.

    Attributes:
        retryable: a later attempt of the same thing may succeed.
        code: the CRM's own code (``UNABLE_TO_LOCK_ROW``), to show and to search for.
        retry_after_s: earliest useful retry in seconds, when the CRM or we know it.
    """

    retryable = False

    def __init__(
        self, message: str, *, code: str = "", retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_s = retry_after_s


class CrmUnavailable(CrmError):
    """Network failure, time-out, 5xx, row lock: nothing is known to be wrong."""

    retryable = True


class CrmLimitExceeded(CrmError):
    """The organisation's API allowance is used up: stop and park the outbox.

    ``is_near``: only nearly; what can wait does, the rest goes on.
    """

    retryable = True
    is_near = False


class CrmLimitNear(CrmLimitExceeded):
    """This can wait: what is left is for calls and their activities."""

    is_near = True


class CrmSignInFailed(CrmError):
    """No token for this user: the app is not approved, the key is wrong, or so."""

    retryable = True


class CrmRefused(CrmError):
    """The CRM understood and said no (validation rule, missing field, no access).

    Attributes:
        field: what it is about: a name of :class:`ContactDraft` where it is one of
            these, else the CRM's own name of the field; "" if it says none.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        retry_after_s: float | None = None,
        field: str = "",
    ) -> None:
        super().__init__(message, code=code, retry_after_s=retry_after_s)
        self.field = field


class CrmDuplicateFound(CrmRefused):
    """A duplicate rule stopped a create.

    Attributes:
        records: the ones it names.
        may_be_allowed: it only warns: with ``allow_duplicate`` the create goes through.
    """

    def __init__(
        self,
        message: str,
        records: tuple[CrmRecord, ...],
        *,
        may_be_allowed: bool = True,
    ) -> None:
        super().__init__(message, code="DUPLICATES_DETECTED")
        self.records = records
        self.may_be_allowed = may_be_allowed


class CrmConflict(CrmRefused):
    """Somebody has changed in the CRM what a correction was to change; theirs stays."""


class MatchCertainty(enum.StrEnum):
    """EXACT: the same E.164 number. POSSIBLE: only the last digits agree."""

    EXACT = "exact"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class CrmRecord:
    """A person or company that a number leads to.

    ``kind`` is the CRM's object name (``Contact``, ``Lead``, ``Account``); ``url``
    is absolute and opens the record for a signed-in user.
    """

    id: str
    kind: str
    name: str
    url: str
    company: str = ""
    phone: str = ""
    email: str = ""
    certainty: MatchCertainty = MatchCertainty.EXACT


@dataclass(frozen=True, slots=True)
class CrmUser:
    """On whose behalf the CRM is asked.

    ``id`` is the CRM's user id (owner of activities), ``username`` its sign-in name.
    """

    tenant: str
    id: str
    username: str


class PersonKind(enum.StrEnum):
    """What a new person becomes in the CRM."""

    CONTACT = "contact"
    LEAD = "lead"


@dataclass(frozen=True, slots=True)
class ContactDraft:
    """A contact or lead to create; only ``last_name`` is required here, but the CRM may
    want more. ``allow_duplicate``: also if a duplicate rule warns."""

    last_name: str
    first_name: str = ""
    phone: str = ""
    company: str = ""
    email: str = ""
    kind: PersonKind = PersonKind.CONTACT
    allow_duplicate: bool = False


@dataclass(frozen=True, slots=True)
class FoundByKey:
    """What has a key that the caller gave.

    Attributes:
        people: whom it leads to, best first.
        about: what the call is about (a Case), if the key says exactly one thing.
    """

    people: tuple[CrmRecord, ...] = ()
    about: CrmRecord | None = None


class ActivityDirection(enum.StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


@dataclass(frozen=True, slots=True)
class Activity:
    """One call or attempt, to be in the CRM exactly once under ``key``.

    ``key`` is ``call:<uuid>``; ``outcome`` a short phrase (``"Answered"``,
    ``"Missed"``, ``"Busy"``); ``duration_s`` talk time in seconds, 0 if unanswered.
    ``match_number`` (E.164, else ""): the CRM could not be asked in time who this is;
    whoever writes the activity looks it up first and sets ``who_id`` if exactly one
    record matches exactly. ``is_call`` False: a note of something that did not happen
    (a no-show); direction, duration and number say nothing then. ``disposition`` is
    the rep's own word for what came of it, "" for none. ``contact_ids``: further
    contacts it concerns, where the CRM can link several. ``due_on``: a task that is
    still to be done, by this day (ISO 8601); "" for all else.
    """

    key: str
    user: CrmUser
    direction: ActivityDirection
    subject: str
    outcome: str
    description: str
    started_at: datetime
    duration_s: int
    number: str
    who_id: str = ""
    what_id: str = ""
    match_number: str = ""
    is_call: bool = True
    disposition: str = ""
    contact_ids: tuple[str, ...] = ()
    due_on: str = ""


@dataclass(frozen=True, slots=True)
class Meeting:
    """A video invite in the CRM's calendar, exactly once under ``key``.

    ``key`` is ``meet:<uuid>``. Unlike an activity it is written anew at each change:
    the newest state wins. ``location`` is what opens it for the rep, never a guest's
    link; ``description`` holds who is invited, came, or did not.
    """

    key: str
    user: CrmUser
    subject: str
    description: str
    starts_at: datetime
    ends_at: datetime
    location: str = ""
    who_id: str = ""
    what_id: str = ""
    is_cancelled: bool = False


@dataclass(frozen=True, slots=True)
class ActivityFacts:
    """How an organisation has set up its activities.

    Attributes:
        about_kinds: object names of what an activity may be about.
        takes_contacts: one activity may be linked to several contacts.
        picklists: values of the activity's fields that are to be chosen from, by
            field; of those that this user may write.
    """

    about_kinds: frozenset[str]
    takes_contacts: bool = False
    picklists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WrittenActivity:
    """Where the activity is; ``created`` is False if it was there already."""

    record_id: str
    url: str
    created: bool


class Connector(Protocol):
    """One tenant's CRM. Methods raise :class:`CrmError` and honour cancellation."""

    async def find_by_number(self, user: CrmUser, e164: str) -> tuple[CrmRecord, ...]:
        """Records whose phone fields hold the number, best first; () if none."""

    async def find_people(self, user: CrmUser, text: str) -> tuple[CrmRecord, ...]:
        """People whose name or e-mail begins so, at most :data:`MAX_PEOPLE`; () if the
        text is too short to search for."""

    async def find_by_key(
        self, user: CrmUser, key: str, fields: Mapping[str, str]
    ) -> FoundByKey:
        """What has exactly this in one of these fields, given as the CRM's names of
        objects and of one field of each; nothing if the key is none."""

    async def find_callable(self, user: CrmUser, text: str) -> tuple[CrmRecord, ...]:
        """Who has a telephone number and a name, e-mail or number that begins so, a
        record for each of their numbers; at most :data:`MAX_CALLABLE`.

        Work that can wait: refused rather than in the way of callers' names.
        """

    async def create_contact(self, user: CrmUser, draft: ContactDraft) -> CrmRecord:
        """Create and return it; found by :meth:`find_by_number` at once afterwards."""

    async def write_activity(
        self,
        activity: Activity,
        earlier: Sequence[Activity] = (),
        *,
        urgent: bool = True,
    ) -> WrittenActivity:
        """Upsert by ``activity.key``; safe to repeat after any failure.

        ``earlier``: what may be there of it already, since we wrote it or tried to.
        Of that, what differs now is changed, unless somebody else has changed it.
        ``urgent`` False: it can wait while the CRM's allowance is nearly used up.

        Raises:
            CrmConflict: somebody has; all else is as it is to be.
        """

    async def activity_facts(self, user: CrmUser) -> ActivityFacts:
        """What may be asked about activities; as ``user`` sees it."""

    def may_be_about(self, kind: str) -> bool:
        """Whether an activity may be about a record of this object, besides a person;
        as far as is known by now (:meth:`prepare`)."""

    async def prepare(self, user: CrmUser) -> None:
        """Ask now what every later request needs, so that no caller waits for it.
        Never fails: what could not be asked is asked again."""

    async def write_meeting(self, meeting: Meeting) -> WrittenActivity:
        """Upsert by ``meeting.key``, every field; safe to repeat after any failure."""

    async def close(self) -> None:
        """Give up threads and connections."""
