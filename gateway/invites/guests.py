"""The guests who came in by a link, beside the reps whom the configuration lists.

A guest is a user while the invite lasts and the link is good. Forgetting one ends
every access token of theirs, because each use of one asks here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.identity.directory import TenantIdentity, UserDirectory
from gateway.identity.tokens import AccessGrant
from gateway.identity.users import User, UserKey
from gateway.invites.model import Invite, InviteKey

MAX_GUESTS_HERE = 10_000
# No rep's id has a colon.
USER_PREFIX = "guest:"


def guest_key(tenant: str, guest_id: str) -> UserKey:
    return UserKey(tenant, USER_PREFIX + guest_id)


@dataclass(slots=True)
class Visit:
    """A guest who is here, by which browser (its hash) and which sign-in.

    ``calls`` of theirs are going on: two for a moment, when one takes the place of
    another. ``joined_at``: first time in the call, Unix seconds.
    """

    user: User
    invite: Invite
    guest_id: str
    generation: int
    browser: str
    grant: AccessGrant
    calls: int = 0
    joined_at: float | None = None

    @property
    def in_call(self) -> bool:
        return self.calls > 0

    def call_changed(self, *, in_call: bool, answered: bool) -> None:
        """As :meth:`gateway.calls.ports.Invites.call_changed`."""
        if not in_call:
            self.calls = max(0, self.calls - 1)
        elif answered:
            self.calls = max(1, self.calls)
        else:
            self.calls += 1


class GuestBook:
    """A :class:`UserDirectory` of the reps' one and of the guests who are here."""

    def __init__(
        self, reps: UserDirectory, *, max_guests: int = MAX_GUESTS_HERE
    ) -> None:
        self._reps = reps
        self._max_guests = max_guests
        self._visits: dict[UserKey, Visit] = {}
        # Guest ids are ours, and one names a guest among all tenants.
        self._keys: dict[str, UserKey] = {}
        self._of_invite: dict[InviteKey, set[UserKey]] = {}

    def __len__(self) -> int:
        return len(self._visits)

    @property
    def in_call_count(self) -> int:
        return sum(visit.in_call for visit in self._visits.values())

    # UserDirectory --------------------------------------------------------------------

    def user(self, key: UserKey) -> User | None:
        visit = self._visits.get(key)
        return visit.user if visit is not None else self._reps.user(key)

    def by_crm_user(self, tenant: str, crm_user_id: str) -> User | None:
        return self._reps.by_crm_user(tenant, crm_user_id)

    def by_username(self, tenant: str, username: str) -> User | None:
        return self._reps.by_username(tenant, username)

    def tenant(self, tenant: str) -> TenantIdentity | None:
        return self._reps.tenant(tenant)

    def by_issuer(self, issuer: str) -> TenantIdentity | None:
        return self._reps.by_issuer(issuer)

    def is_allowed_origin(self, origin: str) -> bool:
        return self._reps.is_allowed_origin(origin)

    # Guests ---------------------------------------------------------------------------

    def has_room(self, key: UserKey) -> bool:
        return key in self._visits or len(self._visits) < self._max_guests

    def enter(self, visit: Visit) -> Visit | None:
        """The guest is here; the visit before, if any, is over. A reload in the same
        browser is still in the call."""
        key = visit.user.key
        before = self._visits.get(key)
        if before is not None and before.browser == visit.browser:
            visit.calls, visit.joined_at = before.calls, before.joined_at
        self._visits[key] = visit
        self._keys[visit.guest_id] = key
        self._of_invite.setdefault(visit.invite.key, set()).add(key)
        return before

    def visit(self, key: UserKey) -> Visit | None:
        return self._visits.get(key)

    def by_guest(self, guest_id: str) -> Visit | None:
        key = self._keys.get(guest_id)
        return self._visits[key] if key is not None else None

    def of_invite(self, invite: InviteKey) -> tuple[Visit, ...]:
        return tuple(self._visits[key] for key in self._of_invite.get(invite, ()))

    def in_call(self, invite: InviteKey) -> frozenset[str]:
        """Ids of the invite's guests who are in the call."""
        return frozenset(v.guest_id for v in self.of_invite(invite) if v.in_call)

    def refresh(self, invite: Invite) -> tuple[UserKey, ...]:
        """The invite was changed: whose link is good no more is forgotten, and given
        back."""
        gone: list[UserKey] = []
        for visit in self.of_invite(invite.key):
            guest = invite.guest(visit.guest_id)
            is_good = guest is not None and guest.generation == visit.generation
            if is_good and not invite.is_closed:
                visit.invite = invite
            else:
                gone.append(visit.user.key)
        self._forget(gone)
        return tuple(gone)

    def _forget(self, keys: Iterable[UserKey]) -> None:
        for key in keys:
            visit = self._visits.pop(key)
            del self._keys[visit.guest_id]
            of_invite = self._of_invite[visit.invite.key]
            of_invite.discard(key)
            if not of_invite:
                del self._of_invite[visit.invite.key]
