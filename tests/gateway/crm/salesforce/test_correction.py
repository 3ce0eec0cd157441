"""Three versions of each field: ours of before, theirs, ours of now."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.crm.salesforce.correction import correct

BEFORE = {"Subject": "Call", "Description": "a", "Status": "Completed"}


@pytest.mark.parametrize(
    ("current", "updates", "conflicts"),
    [
        (BEFORE, {"Description": "b"}, ()),
        # Salesforce's own ends of lines and blanks are nobody's change.
        ({**BEFORE, "Description": " a\r\n"}, {"Description": "b"}, ()),
        ({**BEFORE, "Description": "b"}, {}, ()),
        ({**BEFORE, "Description": "hers"}, {}, ("Description",)),
        # What we do not mean to change is left alone.
        ({**BEFORE, "Subject": "hers", "Status": "Open"}, {"Description": "b"}, ()),
    ],
)
def test_a_field(
    current: dict[str, Any], updates: dict[str, Any], conflicts: tuple[str, ...]
) -> None:
    found = correct(current, {**BEFORE, "Description": "b"}, [BEFORE])
    assert (found.updates, found.conflicts) == (updates, conflicts)


def test_any_version_that_may_be_there_is_ours() -> None:
    earlier = [BEFORE, {**BEFORE, "Description": "b"}]
    wanted = {**BEFORE, "Description": "c"}
    for there in ("a", "b"):
        found = correct({**BEFORE, "Description": there}, wanted, earlier)
        assert found.updates == {"Description": "c"}


def test_a_link_that_is_gone_is_emptied_and_ids_are_equal_in_both_lengths() -> None:
    before = {"WhoId": "003000000000001AAA", "WhatId": "006000000000001AAA"}
    current = {"WhoId": "003000000000001", "WhatId": "006000000000001AAA"}
    found = correct(current, {"WhoId": "00Q000000000001AAA"}, [before])
    assert found.updates == {"WhoId": "00Q000000000001AAA", "WhatId": None}


def test_a_link_that_was_not_taken_is_filled() -> None:
    before = {"WhatId": "006000000000001AAA"}
    wanted = {"WhatId": "500000000000001AAA"}
    assert correct({"WhatId": None}, wanted, [before]).updates == wanted
    assert correct({"WhatId": "001000000000001AAA"}, wanted, [before]).conflicts


def test_people_are_written_when_they_are_others() -> None:
    people = {"WhoId": "003A", "TaskWhoIds": ["003A", "003B"]}
    assert correct({"WhoId": "003A"}, people, [people]).updates == {}
    alone = {"WhoId": "003A"}
    found = correct({"WhoId": "003A"}, people, [alone])
    assert found.updates == {"TaskWhoIds": ["003A", "003B"]}
    assert (
        correct({"WhoId": "003X"}, {**people, "WhoId": "003B"}, [alone]).updates == {}
    )


VERSIONS = st.dictionaries(
    st.sampled_from(["Subject", "Description", "WhoId", "WhatId", "Status"]),
    st.sampled_from(["a", "b", "c"]),
)


@given(VERSIONS, VERSIONS, st.lists(VERSIONS, min_size=1, max_size=3))
def test_nobodys_change_is_lost(
    current: dict[str, str], wanted: dict[str, str], earlier: list[dict[str, str]]
) -> None:
    found = correct(current, wanted, earlier)
    for name, value in found.updates.items():
        assert value == wanted.get(name)
        is_empty_link = name in ("WhoId", "WhatId") and name not in current
        ours = [each.get(name) for each in earlier]
        assert is_empty_link or current.get(name) in ours
    for name in found.conflicts:
        assert current.get(name) not in [each.get(name) for each in earlier]
        assert name not in found.updates
    # Once more, it changes nothing.
    after = {**current, **found.updates}
    assert correct(after, wanted, earlier).updates == {}
