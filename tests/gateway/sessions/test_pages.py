"""Which of several pages has the phone: in any order, exactly one of those there."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.sessions.pages import WINDOW_RELOAD_S, Change, Page, Pages
from gateway.sessions.wire import OWNER_GRACE_S, SessionRole
from tests.gateway.sessions.fakes import MemoryOutlet

OBSERVER, OWNER = SessionRole.OBSERVER, SessionRole.OWNER


def join(
    pages: Pages,
    name: str,
    role: SessionRole | None = OBSERVER,
    *,
    now: float = 0.0,
    instead_of: str | None = None,
    is_window: bool = False,
) -> Change:
    return pages.join(
        name,
        MemoryOutlet(),
        role=role,
        instead_of=instead_of,
        is_window=is_window,
        now=now,
    )


def leave(pages: Pages, page: Page, now: float) -> None:
    assert page.outlet is not None
    assert pages.leave(page.outlet, now) is page


def test_the_first_page_has_the_phone_and_the_next_looks_on() -> None:
    pages = Pages()
    first = join(pages, "first")
    assert first.has_new_owner
    second = join(pages, "second")
    assert not second.has_new_owner
    assert pages.owner is first.page
    assert set(pages.attached) == {first.page, second.page}
    assert pages.due is None


def test_the_owner_has_a_grace_and_then_the_one_used_last_is_it() -> None:
    pages = Pages()
    owner = join(pages, "owner").page
    used, idle = join(pages, "used").page, join(pages, "idle").page
    pages.used(used)
    leave(pages, owner, 10.0)
    assert pages.due == 10.0 + OWNER_GRACE_S
    assert pages.elect(12.9) is None
    change = pages.elect(13.0)
    assert change is not None
    assert change.page is used is pages.owner
    assert pages.elect(100.0) is None
    assert idle in pages.attached
    # Back after all, it looks on.
    back = pages.back(Page("owner", None, True, False), MemoryOutlet(), 14.0)
    assert not back.has_new_owner
    assert pages.owner is used


def test_an_owner_that_is_back_in_time_keeps_the_phone() -> None:
    pages = Pages()
    owner = join(pages, "owner").page
    join(pages, "other")
    leave(pages, owner, 0.0)
    assert not pages.back(owner, MemoryOutlet(), 2.9).has_new_owner
    assert pages.due is None
    assert pages.elect(60.0) is None
    assert pages.owner is owner


def test_when_all_were_away_the_grace_begins_with_the_first_that_is_back() -> None:
    pages = Pages()
    owner, other = join(pages, "owner").page, join(pages, "other").page
    leave(pages, other, 0.0)
    leave(pages, owner, 0.0)
    assert pages.due is None, "there is nobody"
    pages.back(other, MemoryOutlet(), 40.0)
    assert pages.owner is owner
    assert pages.elect(42.0) is None
    change = pages.elect(43.0)
    assert change is not None
    assert change.page is other


def test_a_reload_finds_its_phone_whether_or_not_the_old_socket_is_known_dead() -> None:
    for is_noticed in (False, True):
        pages = Pages()
        first = join(pages, "load-1")
        other = join(pages, "other").page
        old = first.page.outlet
        if is_noticed:
            leave(pages, first.page, 0.0)
        change = join(pages, "load-2", instead_of="load-1", now=1.0)
        assert change.has_new_owner
        assert change.replaced == (() if is_noticed else (old,))
        assert set(pages.attached) == {change.page, other}


def test_instead_of_a_page_that_has_not_got_it_nothing_is_taken() -> None:
    pages = Pages()
    owner = join(pages, "owner").page
    join(pages, "other")
    change = join(pages, "more", instead_of="other")
    assert not change.has_new_owner
    assert pages.owner is owner
    assert len(pages.attached) == 2


def test_a_new_page_does_not_wait_unless_a_window_may_be_reloading() -> None:
    pages = Pages()
    leave(pages, join(pages, "owner").page, 0.0)
    window = join(pages, "window", None, is_window=True, now=1.0)
    assert window.has_new_owner
    other = join(pages, "other", now=1.0).page
    leave(pages, window.page, 1.0)
    assert not join(pages, "third", now=2.0).has_new_owner
    assert pages.due == 1.0 + WINDOW_RELOAD_S
    pages.used(other)
    change = pages.elect(1.0 + WINDOW_RELOAD_S)
    assert change is not None
    assert change.page is other
    assert change.superseded is window.page


def test_pages_that_cannot_observe_are_superseded_as_ever() -> None:
    pages = Pages()
    old = join(pages, "old", None).page
    looks_on = join(pages, "looks-on").page
    change = join(pages, "new", None)
    assert change.superseded is old
    assert pages.take(looks_on).superseded is change.page
    assert pages.attached == (looks_on,)


def test_with_too_many_the_one_not_used_for_longest_goes() -> None:
    pages = Pages(max_pages=3)
    owner = join(pages, "owner").page
    first, second = join(pages, "first").page, join(pages, "second").page
    pages.used(first)
    assert join(pages, "third").evicted is second
    assert pages.owner is owner
    assert len(pages.attached) == 3


class PagesMachine(RuleBasedStateMachine):
    """Pages join, leave, come back, take, and time passes, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.pages = Pages(max_pages=4)
        self.now = 0.0
        self.count = 0
        self.gone: list[Page] = []

    def changed(self, change: Change | None) -> None:
        if change is None:
            return
        assert change.has_new_owner == (change.page is self.pages.owner) or (
            not change.has_new_owner
        )
        for page in (change.superseded, change.evicted):
            assert page is None or page not in self.pages.attached
        assert change.superseded is None or not change.superseded.can_observe
        assert change.evicted is None or change.evicted is not self.pages.owner

    @rule(
        role=st.sampled_from([None, OWNER, OBSERVER, OBSERVER, OBSERVER]),
        is_window=st.booleans(),
        data=st.data(),
    )
    def one_joins(
        self, role: SessionRole | None, is_window: bool, data: st.DataObject
    ) -> None:
        self.count += 1
        names = [page.instance_id for page in self.pages.attached]
        self.changed(
            join(
                self.pages,
                data.draw(st.sampled_from([f"page-{self.count}", *names])),
                role,
                now=self.now,
                instead_of=data.draw(st.sampled_from([None, *names])),
                is_window=is_window and role is None,
            )
        )

    @precondition(lambda self: self.pages.attached)
    @rule(data=st.data())
    def one_goes(self, data: st.DataObject) -> None:
        page = data.draw(st.sampled_from(self.pages.attached))
        leave(self.pages, page, self.now)
        if page.can_observe or page is self.pages.owner:
            self.gone.append(page)

    @precondition(lambda self: self.gone)
    @rule()
    def one_is_back(self) -> None:
        page = self.gone.pop(0)
        if page.outlet is not None or (
            not page.can_observe and page is not self.pages.owner
        ):
            return
        known: Any = self.pages.known(page.instance_id)
        if known is None or known is page:
            self.changed(self.pages.back(page, MemoryOutlet(), self.now))

    @precondition(lambda self: self.pages.attached)
    @rule(data=st.data())
    def one_takes(self, data: st.DataObject) -> None:
        page = data.draw(st.sampled_from(self.pages.attached))
        self.changed(self.pages.take(page))
        assert self.pages.owner is page

    @precondition(lambda self: self.pages.attached)
    @rule(data=st.data())
    def one_is_used(self, data: st.DataObject) -> None:
        self.pages.used(data.draw(st.sampled_from(self.pages.attached)))

    @rule(seconds=st.sampled_from([0.5, 3.0, 5.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.changed(self.pages.elect(self.now))

    @invariant()
    def there_is_one_owner_or_one_is_about_to_be(self) -> None:
        pages, attached = self.pages, self.pages.attached
        assert len({page.instance_id for page in attached}) == len(attached) <= 4
        assert all(page.can_observe or page is pages.owner for page in attached)
        if not attached or pages.owner in attached:
            assert pages.due is None
        else:
            assert pages.due is not None
            assert pages.due <= self.now + WINDOW_RELOAD_S


PagesMachine.TestCase.settings = settings(
    max_examples=30, stateful_step_count=40, deadline=None
)
TestPages = PagesMachine.TestCase
