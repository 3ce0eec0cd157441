"""Whatever the protocol can say, the softphone has words for."""

from __future__ import annotations

import enum

import pytest

from gateway.sessions import wire
from tests.widget.browser import Widget

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize(
    ("group", "members"),
    [
        ("endReason", wire.EndReason),
        ("registrationProblem", wire.RegistrationProblem),
        ("error", wire.ErrorKind),
    ],
)
async def test_words_for_every_member(
    widget: Widget, group: str, members: type[enum.StrEnum]
) -> None:
    said = await widget.page.evaluate(
        "async (group) => (await import('/widget/words/en/problems.js')).words[group]",
        group,
    )
    for member in members:
        assert said[member.value]["title"], member
        assert isinstance(said[member.value]["text"], str), member
    titles = (
        [said[member.value]["title"] for member in wire.EndReason]
        if (members is wire.EndReason)
        else []
    )
    assert len(set(titles)) == len(titles), "no two ends read the same"
