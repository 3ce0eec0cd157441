"""CSV files of users: what they say, what is wrong with them by line, what changes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.importing import COLUMNS, MAX_FILE_BYTES, Plan, plan, read
from gateway.identity.sealing import SecretBox
from gateway.identity.stored import StoredUser
from gateway.identity.users import UserKey
from tests.gateway.identity.people import BOX, KEY, OLD_KEY, SAM_ID, row, tenant

SAM, NOA = UserKey("acme", "sam"), UserKey("acme", "noa")
TENANTS = {name: tenant(name) for name in ("acme", "globex")}


def imported(
    text: str,
    *stored: StoredUser,
    of: str = "acme",
    box: SecretBox = BOX,
    shared: bool = False,
) -> Plan:
    rules = {"rules": [{"by": "email"}], "sip_password": "shared"}
    tenants = TENANTS | ({"acme": tenant(provisioning=rules)} if shared else {})
    rows, problems = read(text.encode(), tenant=of)
    found = plan(rows, stored, tenants, box)
    return replace(found, problems=tuple(sorted([*problems, *found.problems])))


def problems(text: str, *stored: StoredUser, **more: object) -> list[str]:
    found = imported(text, *stored, **more)  # type: ignore[arg-type]
    return [str(problem) for problem in found.problems]


def written(found: Plan) -> dict[UserKey, StoredUser]:
    assert found.problems == ()
    return {user.key: user for user in found.writes}


def test_a_whole_row() -> None:
    found = imported(
        "tenant,id,name,number,email,salesforce_user_id,salesforce_username,"
        "sip_username,sip_auth_username,sip_password,disabled\n"
        "globex,noa,Noa Nagy,+1 555,noa@globex.example,005000000000009,"
        'noa@sf.example,1009,auth9," a;""b ",yes\n'
    )
    key = UserKey("globex", "noa")
    user = written(found)[key]
    assert BOX.open(key, user.sealed_secret).reveal() == ' a;"b '
    assert replace(user, sealed_secret="") == StoredUser(
        key,
        "Noa Nagy",
        "1009",
        number="+1 555",
        email="noa@globex.example",
        crm_user_id="005000000000009AAA",
        crm_username="noa@sf.example",
        sip_auth_username="auth9",
        is_disabled=True,
        source="import",
    )
    assert (found.added, found.changed, found.unchanged) == (1, 0, 0)


FILE = "id,name,sip_username,sip_password\nsam,Sam,1001,one\nnoa,Noa,1002,two\n"


def test_the_same_again_changes_nothing() -> None:
    first = imported(FILE)
    again = imported(FILE, *first.writes)
    assert (again.writes, again.unchanged) == ((), 2)


def test_what_is_not_said_stays_and_a_hyphen_empties() -> None:
    known = row(
        email="sam@acme.example", number="7", crm_user_id=SAM_ID, source="sign-in"
    )
    text = "id,number,email,salesforce_user_id\nsam,-,,\n"
    assert written(imported(text, known)) == {SAM: replace(known, number="")}


def test_a_new_password_is_a_change_and_the_old_one_is_none() -> None:
    known = row()
    same = f"id,sip_password\nsam,password of {SAM}\n"
    assert imported(same, known).unchanged == 1
    user = written(imported("id,sip_password\nsam,another\n", known))[SAM]
    assert BOX.open(SAM, user.sealed_secret).reveal() == "another"
    # Also over one that nobody can open any more.
    lost = replace(known, sealed_secret=SecretBox([OLD_KEY]).seal(SAM, "another"))
    user = written(imported("id,sip_password\nsam,another\n", lost))[SAM]
    assert BOX.open(SAM, user.sealed_secret).reveal() == "another"
    text = "id,sip_password\nsam,-\n"
    assert written(imported(text, known, shared=True))[SAM].sealed_secret == ""


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_as_spreadsheets_write_it(delimiter: str, newline: str) -> None:
    text = FILE.replace(",", delimiter).replace("\n", newline)
    rows, found = read(b"\xef\xbb\xbf" + text.encode(), tenant="acme")
    assert found == []
    assert [(r.line, r.key.user, r.password) for r in rows] == [
        (2, "sam", "one"),
        (3, "noa", "two"),
    ]


def test_numbers_may_be_swapped() -> None:
    sam, noa = row(), row("noa", sip_username="1002")
    found = imported("id,sip_username\nsam,1002\nnoa,1001\n", sam, noa)
    assert {k.user: u.sip_username for k, u in written(found).items()} == {
        "sam": "1002",
        "noa": "1001",
    }


def test_every_problem_of_every_line_at_once() -> None:
    text = """\
id,name,sip_username,sip_password,email,salesforce_user_id,disabled
sam,Sam,1001,x,,,
,Nobody,1,x,,,
a b,,1,x,no address,00500000000000,perhaps
noa,Noa,1001,x,,,

"two
lines",X,1,x,,,
robin,Robin,1003,x,,,
eve,Eve,1000,x,,005000000000001,
sam,Sam,1004,x,,,
ida,Ida,1005,,,,
max,Max,1006
kim,,,x,,,
liv,Liv,sip:1@evil,x,,005000000000009AAB,no
"""
    assert problems(text) == [
        "line 2: SIP username '1001' is also that of acme/noa",
        "line 3: id is missing",
        "line 4: disabled must be yes or no",
        "line 4: email is no e-mail address: An email address must have an @-sign.",
        "line 4: id must be 1 to 64 letters, digits, dots, hyphens, underlines",
        "line 4: salesforce_user_id must be 15 or 18 letters and digits that begin "
        "with 005",
        "line 5: SIP username '1001' is also that of acme/sam",
        "line 7: id must be 1 to 64 letters, digits, dots, hyphens, underlines",
        "line 9: user acme/robin: is there already: 'robin' in the configuration",
        "line 10: user acme/eve: SIP username '1000' is that of 'robin' in the "
        "configuration",
        "line 11: user acme/sam is on line 2 too",
        "line 12: user acme/ida: has no SIP password, and the tenant has no "
        "provisioning.sip_password",
        "line 13: has 3 cells, and the first line has 7",
        "line 14: name is missing",
        "line 14: sip_username is missing",
        "line 15: salesforce_user_id is mistyped: its last three characters do not "
        "fit the rest",
        "line 15: sip_username must be 1 to 64 letters, digits and -._~+*!'()",
    ]


def test_a_row_that_is_there_already_has_its_number() -> None:
    known = row(crm_user_id=SAM_ID)
    text = (
        f"id,name,sip_username,sip_password,salesforce_user_id\nn,N,1001,x,{SAM_ID}\n"
    )
    assert problems(text, known) == [
        f"line 2: CRM user '{SAM_ID}' is also that of acme/sam",
        "line 2: SIP username '1001' is also that of acme/sam",
    ]
    # In another tenant it is free.
    assert problems(text, known, of="globex") == []


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "line 1: the file is empty"),
        (b"\n \n", "line 1: the file is empty"),
        (b"id\n\xff", "the file is not UTF-8 text"),
        (b"x" * (MAX_FILE_BYTES + 1), "the file is larger than 16 MiB"),
        (b'id,name\nsam,"Sam\n', "line 2: is no CSV: unexpected end of data"),
        (b"name\nSam\n", "line 1: column 'id' is missing"),
        (b"id,id\nsam,sam\n", "line 1: column 'id' is there twice"),
        (b"id\nsam\n", "line 2: name is missing"),
    ],
)
def test_files_that_are_none(data: bytes, problem: str) -> None:
    rows, found = read(data, tenant="acme")
    made = plan(rows, (), TENANTS, BOX).problems
    assert problem in [str(each) for each in (*found, *made)]


def test_columns_that_nobody_knows_and_tenants_that_are_not_there() -> None:
    (text,) = problems("id,pasword\nsam,geheim\n")
    assert text.startswith("line 1: there is no column 'pasword'; there are tenant, id")
    assert problems("id\nsam\n", of="") == [
        "line 1: column 'tenant' is missing, and no tenant is named on the command line"
    ]
    assert problems("id,tenant\nsam,\n", of="") == ["line 2: tenant is missing"]
    assert problems("id,tenant\nsam,evil\n") == [
        "line 2: the configuration has no tenant 'evil'"
    ]


def test_passwords_need_a_key() -> None:
    assert problems(FILE, box=SecretBox([])) == [
        f"line {line}: user acme/{who}: the configuration has no secrets_keys"
        for line, who in ((2, "sam"), (3, "noa"))
    ]


def test_nothing_shows_a_password() -> None:
    text = "id,name,sip_username,sip_password\nsam,,1000,geheim\u0000\nnoa,N,2,geheim\n"
    rows, found = read(text.encode(), tenant="acme")
    made = plan(rows, (), TENANTS, BOX)
    assert "geheim" not in repr((rows, found, made))
    assert KEY not in repr(made)


@given(st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_are_rows_or_problems(data: bytes) -> None:
    rows, found = read(data, tenant="acme")
    assert rows or found or data.strip()
    plan(rows, (row(),), TENANTS, BOX)


CELL = st.text(max_size=12) | st.sampled_from(["-", "sam", "1000", "yes", SAM_ID])
# Mostly good: what is to be tried is what they mean together.
LIKELY = st.tuples(
    st.sampled_from(["acme", "globex"]),
    st.sampled_from(["sam", "noa", "eve", "ida", "robin"]),
    st.just("Name"),
    st.sampled_from(["1001", "1002", "1003", "1004", "1005", "1000"]),
    st.sampled_from(["one", "two"]),
    st.sampled_from(["", "", "-", "005000000000003", SAM_ID]),
)
LIKELY_COLUMNS = (
    *("tenant", "id", "name", "sip_username", "sip_password"),
    "salesforce_user_id",
)


def as_csv(lines: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(lines)
    return text.getvalue()


@given(
    st.lists(st.sampled_from(COLUMNS), unique=True, min_size=1),
    st.lists(st.lists(CELL, min_size=11, max_size=11), max_size=5),
)
def test_every_problem_is_on_a_line_of_the_file(
    columns: list[str], cells: list[list[str]]
) -> None:
    text = as_csv([columns, *(line[: len(columns)] for line in cells)])
    # A carriage return alone ends a line too.
    lines = text.count("\n") + text.count("\r")
    found = imported(text, row(crm_user_id=SAM_ID))
    assert all(0 <= problem.line <= lines for problem in found.problems)


@given(st.lists(LIKELY, max_size=3))
def test_what_has_no_problem_clashes_with_nobody(cells: list[tuple[str, ...]]) -> None:
    text = as_csv([LIKELY_COLUMNS, *cells])
    known = row(crm_user_id=SAM_ID)
    found = imported(text, known, shared=True)
    if found.problems:
        return
    after = {known.key: known} | written(found)
    names = [(key.tenant, user.sip_username) for key, user in after.items()]
    assert len(set(names)) == len(names)
    assert ("acme", "1000") not in names
    ids = [(key.tenant, user.crm_user_id) for key, user in after.items()]
    given_ids = [each for each in ids if each[1]]
    assert len(set(given_ids)) == len(given_ids)
    assert all(key.tenant in TENANTS for key in after)
    assert imported(text, *after.values(), shared=True).writes == ()
