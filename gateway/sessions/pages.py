"""The pages of one session: which one has the phone, which ones look on. Pure.

Driven by: pages that join (hello) and come back (resume), sockets that go, a wish to
have the phone, and the time (``elect``). Sockets are only told apart here; what is said
to them is the owner's matter (``Session``).

Rules:
- At most one page is the *owner*. It stays so for a grace when its socket is gone: a
  reload, or a short loss of the network, is no reason to move a call.
- The grace runs only while an observer is attached, and begins with the first one that
  is: after a loss that all pages have in common, the owner is as late as they are.
- When it ends the observer that was used last becomes the owner. Nobody else decides
  that, so it is one of several, whatever the pages think.
- A new page does not wait for the grace: it is the reload, or in front of the user.
- Pages that cannot observe are not kept beside an owner; see ``Change.superseded``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.sessions.wire import MAX_PAGES, OWNER_GRACE_S, SessionRole

# A call's window that is reloaded is back within this.
WINDOW_RELOAD_S = 5.0


class Outlet(Protocol):
    """The sending side of a socket. Nothing raises; after ``close`` nothing is sent."""

    def send(self, frame: str) -> None:
        """Queue a frame, or give the socket up if the client is too slow."""

    def close(self, code: int, reason: str) -> None:
        """Close after what was queued."""


@dataclass(eq=False, slots=True)
class Page:
    """One load of a page, with its newest socket; ``outlet`` None: it is gone.

    ``can_observe``: it stays when another page is the owner.
    """

    instance_id: str
    outlet: Outlet | None
    can_observe: bool
    is_window: bool
    # When the socket went; meaningful without one.
    left_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """What a step did besides: who has to be told, who must go.

    ``superseded`` cannot observe and is not the owner any more; ``evicted`` is one too
    many. Both are forgotten already. ``replaced`` are former sockets of the same page.
    """

    page: Page
    has_new_owner: bool = False
    superseded: Page | None = None
    evicted: Page | None = None
    replaced: tuple[Outlet, ...] = ()


class Pages:
    """See the module. ``now`` is monotonic seconds everywhere."""

    def __init__(
        self,
        *,
        grace_s: float = OWNER_GRACE_S,
        window_grace_s: float = WINDOW_RELOAD_S,
        max_pages: int = MAX_PAGES,
    ) -> None:
        self.grace_s = grace_s
        self.window_grace_s = window_grace_s
        self._max_pages = max_pages
        # Attached, and the owner in any case; the one used last is last.
        self._pages: list[Page] = []
        self.owner: Page | None = None
        # When an observer becomes the owner, unless that is back.
        self.due: float | None = None

    @property
    def attached(self) -> tuple[Page, ...]:
        return tuple(page for page in self._pages if page.outlet is not None)

    @property
    def outlets(self) -> tuple[Outlet, ...]:
        return tuple(page.outlet for page in self._pages if page.outlet is not None)

    def of(self, outlet: Outlet) -> Page | None:
        """The page that this socket is attached for."""
        return next((page for page in self._pages if page.outlet is outlet), None)

    def is_in_window(self, now: float) -> bool:
        """The window of a call has the phone, or may be reloading."""
        owner = self.owner
        return (
            owner is not None
            and owner.is_window
            and (owner.outlet is not None or now < owner.left_at + self.window_grace_s)
        )

    def used(self, page: Page) -> None:
        """The user has done something in it."""
        self._pages.remove(page)
        self._pages.append(page)

    def join(
        self,
        instance_id: str,
        outlet: Outlet,
        *,
        role: SessionRole | None,
        instead_of: str | None,
        is_window: bool,
        now: float,
    ) -> Change:
        """A page has said hello."""
        owner = self.owner
        wants = (
            role is not SessionRole.OBSERVER
            or owner is None
            or owner.instance_id in (instance_id, instead_of)
            or (owner.outlet is None and not self.is_in_window(now))
        )
        page = Page(instance_id, outlet, role is not None, is_window)
        replaced = []
        names = (instance_id, instead_of)
        # The same load by another socket, without its resume token; or a reload.
        for former in [p for p in self._pages if p.instance_id in names]:
            self._pages.remove(former)
            if former is owner:
                self.owner = None
            if former.outlet is not None:
                replaced.append(former.outlet)
        return self._add(page, wants=wants, now=now, replaced=tuple(replaced))

    def back(self, page: Page, outlet: Outlet, now: float) -> Change:
        """A page has resumed; it is the owner only if it still was."""
        replaced = (page.outlet,) if page.outlet is not None else ()
        if page is not self.owner and page in self._pages:
            self._pages.remove(page)
        page.outlet = outlet
        if page is self.owner:
            self.due = None
            return Change(page, replaced=replaced)
        return self._add(page, wants=self.owner is None, now=now, replaced=replaced)

    def take(self, page: Page) -> Change:
        """The user wants the phone in this attached page."""
        former, self.owner, self.due = self.owner, page, None
        self.used(page)
        if former is page:
            return Change(page)
        return Change(page, has_new_owner=True, superseded=self._after(former))

    def leave(self, outlet: Outlet, now: float) -> Page | None:
        """A socket is gone; None if it was nobody's any more."""
        page = self.of(outlet)
        if page is None:
            return None
        page.outlet = None
        page.left_at = now
        if page is not self.owner:
            self._pages.remove(page)
        self._await_owner(now)
        return page

    def elect(self, now: float) -> Change | None:
        """Give the phone to an observer, if it is time."""
        if self.due is None or now < self.due:
            return None
        self.due = None
        candidates = self.attached
        return self.take(candidates[-1]) if candidates else None

    def known(self, instance_id: str) -> Page | None:
        """Attached, or the owner."""
        return next((p for p in self._pages if p.instance_id == instance_id), None)

    def _add(
        self, page: Page, *, wants: bool, now: float, replaced: tuple[Outlet, ...]
    ) -> Change:
        evicted = self._make_room()
        self._pages.append(page)
        if wants:
            taken = self.take(page)
            return Change(
                page,
                has_new_owner=True,
                superseded=taken.superseded,
                evicted=evicted,
                replaced=replaced,
            )
        self._await_owner(now)
        return Change(page, evicted=evicted, replaced=replaced)

    def _make_room(self) -> Page | None:
        if len(self._pages) < self._max_pages:
            return None
        oldest = next(page for page in self._pages if page is not self.owner)
        self._pages.remove(oldest)
        return oldest

    def _after(self, former: Page | None) -> Page | None:
        """What becomes of the page that had the phone."""
        if former is None:
            return None
        if former.outlet is None or not former.can_observe:
            self._pages.remove(former)
        return None if former.can_observe else former

    def _await_owner(self, now: float) -> None:
        owner = self.owner
        if owner is None or owner.outlet is not None or not self.attached:
            self.due = None
        elif self.due is None:
            grace_s = self.window_grace_s if owner.is_window else self.grace_s
            self.due = now + grace_s
