"""Users from a CSV file: read, checked against what is there, planned whole. Pure.

The first line names the columns: ``id``, and any of ``tenant``, ``name``, ``number``,
``email``, ``salesforce_user_id``, ``salesforce_username``, ``sip_username``,
``sip_auth_username``, ``sip_password``, ``disabled`` (yes or no). An empty cell says
nothing: what is known stays. ``-`` empties it. Separated by commas, semicolons or
tabs, as the first line has them; UTF-8.

Each row is checked against the table as it would be after the import, so that two
users may swap their numbers. No text here quotes a password.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.config import TenantSection
from gateway.identity.live import Claims, password_of
from gateway.identity.provisioning import SIP_USERNAME, USER_ID
from gateway.identity.sealing import NoSecretsKeyError, SecretBox, SecretError
from gateway.identity.stored import (
    SOURCE_IMPORT,
    StoredUser,
    full_crm_id,
)
from gateway.identity.users import UserKey
from gateway.invites.draft import check_email

MAX_FILE_BYTES = 16 * 1024 * 1024
MAX_ROWS = 50_000
EMPTIES = "-"


@dataclass(frozen=True, slots=True, order=True)
class LineProblem:
    """``line`` counts from 1; 0 where it is the file as a whole."""

    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}" if self.line else self.message


@dataclass(frozen=True, slots=True)
class Row:
    """One user as the file has them: what it says, by attribute of StoredUser."""

    line: int
    key: UserKey
    values: Mapping[str, str | bool]
    # None: says nothing. "": the tenant's shared one.
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """``writes`` are the added and changed; nothing may be written when there are
    ``problems``."""

    writes: tuple[StoredUser, ...]
    added: int
    changed: int
    unchanged: int
    problems: tuple[LineProblem, ...]


def read(data: bytes, *, tenant: str = "") -> tuple[list[Row], list[LineProblem]]:
    """The rows of a file; ``tenant`` where it has no such column."""
    if len(data) > MAX_FILE_BYTES:
        return [], [LineProblem(0, "the file is larger than 16 MiB")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return [], [LineProblem(0, "the file is not UTF-8 text")]
    problems: list[LineProblem] = []
    rows: list[Row] = []
    lines = _cells(text, problems)
    first = next(lines, None)
    if first is None:
        return [], problems or [LineProblem(1, "the file is empty")]
    line, header = first
    columns = [name.strip().lower() for name in header]
    problems += [LineProblem(line, text) for text in _of_header(columns, tenant)]
    if problems:
        return [], problems
    for line, cells in lines:
        if len(rows) >= MAX_ROWS:
            problems.append(LineProblem(line, f"more than {MAX_ROWS} users"))
            break
        if len(cells) != len(columns):
            said = f"has {len(cells)} cells, and the first line has {len(columns)}"
            problems.append(LineProblem(line, said))
            continue
        found = _row(line, dict(zip(columns, cells, strict=True)), tenant)
        if isinstance(found, Row):
            rows.append(found)
        else:
            problems += found
    return rows, problems


def plan(
    rows: Sequence[Row],
    stored: Iterable[StoredUser],
    tenants: Mapping[str, TenantSection],
    box: SecretBox,
    *,
    source: str = SOURCE_IMPORT,
) -> Plan:
    """What the rows change; every problem of every row."""
    before = {user.key: user for user in stored}
    after = dict(before)
    problems: list[LineProblem] = []
    line_of: dict[UserKey, int] = {}
    claims = Claims(tenants.values())
    for row in rows:
        if row.key in line_of:
            said = f"user {row.key} is on line {line_of[row.key]} too"
            problems.append(LineProblem(row.line, said))
            continue
        line_of[row.key] = row.line
        section = tenants.get(row.key.tenant)
        if section is None:
            said = f"the configuration has no tenant {row.key.tenant!r}"
            problems.append(LineProblem(row.line, said))
            continue
        known = before.get(row.key) or StoredUser(row.key, "", "", source=source)
        user = replace(known, **row.values)  # type: ignore[arg-type]
        found = [name for name in ("name", "sip_username") if not getattr(user, name)]
        problems += [LineProblem(row.line, f"{name} is missing") for name in found]
        if clash := claims.clash(user):
            problems.append(LineProblem(row.line, f"user {row.key}: {clash}"))
        try:
            user = _sealed(user, row.password, box)
            if not user.sealed_secret:
                password_of(section, user, box)
        except (SecretError, ValueError) as error:
            problems.append(LineProblem(row.line, f"user {row.key}: {error}"))
        after[row.key] = user
    problems += _repeated(after, line_of, "sip_username", "SIP username")
    problems += _repeated(after, line_of, "crm_user_id", "CRM user")
    added = [key for key in line_of if key in after and key not in before]
    changed = [k for k in line_of if k in before and after[k] != before[k]]
    return Plan(
        writes=tuple(after[key] for key in (*added, *changed)),
        added=len(added),
        changed=len(changed),
        unchanged=len(line_of) - len(added) - len(changed),
        problems=tuple(sorted(problems)),
    )


def _sealed(user: StoredUser, password: str | None, box: SecretBox) -> StoredUser:
    if password is None:
        return user
    if not password:
        return replace(user, sealed_secret="")
    if user.sealed_secret:
        # The same password sealed once more would look like a change.
        try:
            if box.open(user.key, user.sealed_secret).reveal() == password:
                return user
        except NoSecretsKeyError:
            raise
        except SecretError:
            pass
    return replace(user, sealed_secret=box.seal(user.key, password))


def _repeated(
    users: Mapping[UserKey, StoredUser],
    line_of: Mapping[UserKey, int],
    name: str,
    what: str,
) -> Iterator[LineProblem]:
    owners: dict[tuple[str, str], list[UserKey]] = {}
    for key, user in users.items():
        if value := getattr(user, name):
            owners.setdefault((key.tenant, value), []).append(key)
    for (_, value), keys in owners.items():
        for key in keys if len(keys) > 1 else ():
            if key in line_of:
                others = ", ".join(str(other) for other in keys if other != key)
                said = f"{what} {value!r} is also that of {others}"
                yield LineProblem(line_of[key], said)


# Reading --------------------------------------------------------------------------


def _cells(text: str, problems: list[LineProblem]) -> Iterator[tuple[int, list[str]]]:
    """Rows that are not blank, with the line on which each begins."""
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # What follows a lost quote is no row of anything.
            problems.append(LineProblem(line, f"is no CSV: {error}"))
            return
        if any(cell.strip() for cell in cells):
            yield line, cells


def _of_header(columns: Sequence[str], tenant: str) -> Iterator[str]:
    for name in dict.fromkeys(columns):
        if name not in _COLUMNS:
            yield f"there is no column {name[:40]!r}; there are {', '.join(_COLUMNS)}"
        elif columns.count(name) > 1:
            yield f"column {name!r} is there twice"
    if "id" not in columns:
        yield "column 'id' is missing"
    if not tenant and "tenant" not in columns:
        yield "column 'tenant' is missing, and no tenant is named on the command line"


def _row(line: int, cells: dict[str, str], tenant: str) -> Row | list[LineProblem]:
    problems: list[LineProblem] = []
    values: dict[str, str | bool] = {}
    for name, cell in cells.items():
        # Blanks may belong to a password, and to nothing else.
        text = cell if name == "sip_password" else cell.strip()
        if not text:
            continue
        attribute, check = _COLUMNS[name]
        try:
            values[attribute] = check("" if text == EMPTIES else text)
        except ValueError as error:
            problems.append(LineProblem(line, f"{name} {error}"))
    if "id" not in values and not problems:
        problems.append(LineProblem(line, "id is missing"))
    if problems:
        return problems
    key = UserKey(str(values.pop("tenant", tenant)), str(values.pop("id")))
    password = values.pop("password", None)
    if not key.tenant:
        return [LineProblem(line, "tenant is missing")]
    return Row(line, key, values, None if password is None else str(password))


def _name(text: str) -> str:
    if not USER_ID.fullmatch(text):
        raise ValueError("must be 1 to 64 letters, digits, dots, hyphens, underlines")
    return text


def _sip_username(text: str) -> str:
    if not SIP_USERNAME.fullmatch(text):
        raise ValueError("must be 1 to 64 letters, digits and -._~+*!'()")
    return text


def _email(text: str) -> str:
    if not text:
        return text
    try:
        return check_email(text)
    except ValueError as error:
        raise ValueError(f"is no e-mail address: {error}") from None


def _salesforce_id(text: str) -> str:
    full = full_crm_id(text)
    if not text:
        return text
    if not text.startswith("005") or len(full) != 18:
        raise ValueError("must be 15 or 18 letters and digits that begin with 005")
    if len(text) == 18 and text != full:
        raise ValueError("is mistyped: its last three characters do not fit the rest")
    return full


def _yes_or_no(text: str) -> bool:
    if text.lower() in ("yes", "true", "1"):
        return True
    if text.lower() in ("no", "false", "0", ""):
        return False
    raise ValueError("must be yes or no")


def _words(longest: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        if len(text) > longest:
            raise ValueError(f"is longer than {longest} characters")
        if not text.isprintable():
            raise ValueError("has characters that cannot be printed")
        return text

    return check


_COLUMNS: dict[str, tuple[str, Callable[[str], str | bool]]] = {
    "tenant": ("tenant", _name),
    "id": ("id", _name),
    "name": ("name", _words(120)),
    "number": ("number", _words(64)),
    "email": ("email", _email),
    "salesforce_user_id": ("crm_user_id", _salesforce_id),
    "salesforce_username": ("crm_username", _words(255)),
    "sip_username": ("sip_username", _sip_username),
    "sip_auth_username": ("sip_auth_username", _words(255)),
    "sip_password": ("password", _words(255)),
    "disabled": ("is_disabled", _yes_or_no),
}
COLUMNS = tuple(_COLUMNS)


def of_cells(cells: Mapping[str, str], tenant: str) -> Row | list[LineProblem]:
    """One user, named by column, with the same checks; line 0."""
    return _row(0, dict(cells), tenant)
