"""``ringbridge user``, ``secrets`` and ``key``: beside a running service or without.

They write to the database that the service follows. Passwords come from a prompt,
from standard input or from a file, never from the arguments, which every process of
the machine can read.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import getpass
import hashlib
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

import sip
from gateway.config import Config, load
from gateway.identity.assembly import secret_box
from gateway.identity.importing import EMPTIES, LineProblem, Plan, of_cells, plan, read
from gateway.identity.live import Merged, merge
from gateway.identity.sealing import SecretError
from gateway.identity.stored import SOURCE_COMMAND, StoredUser
from gateway.identity.users import User, UserKey
from gateway.storage import Database, StoredUsers

EXIT_FAILED = 1
# Others write too; each pass leaves less to do.
ROTATION_PASSES = 5
ROTATED_AT_ONCE = 100
KID_CHARS = 16


def add_parsers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the commands; each sets ``run``, which takes the options."""
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument("--config", required=True, type=Path, metavar="FILE")

    user = commands.add_parser("user", help="users beside those of the configuration")
    of_user = user.add_subparsers(dest="action", required=True)
    add = of_user.add_parser("add", parents=[config], help="add one; asks the password")
    add.add_argument("user", type=_user_key, metavar="TENANT/ID")
    for name in ("name", "sip-username"):
        add.add_argument(f"--{name}", required=True)
    for name in ("number", "email", "sip-auth-username"):
        add.add_argument(f"--{name}", default="")
    for name in ("salesforce-user-id", "salesforce-username"):
        add.add_argument(f"--{name}", default="")
    how = add.add_mutually_exclusive_group()
    how.add_argument(
        "--password-stdin",
        action="store_true",
        help="read the SIP password from the first line of standard input",
    )
    how.add_argument(
        "--shared-password",
        action="store_true",
        help="none of their own: the tenant's provisioning.sip_password",
    )
    add.set_defaults(run=_add)
    listing = of_user.add_parser("list", parents=[config], help="who is there")
    listing.add_argument("--tenant")
    listing.set_defaults(run=_list)
    for action, text in (
        ("disable", "no sign-in, and out within seconds"),
        ("enable", "sign-in again"),
    ):
        switch = of_user.add_parser(action, parents=[config], help=text)
        switch.add_argument("user", type=_user_key, metavar="TENANT/ID")
        switch.set_defaults(run=_switch)
    imports = of_user.add_parser("import", parents=[config], help="from a CSV file")
    imports.add_argument("file", help="the file, - for standard input")
    imports.add_argument("--tenant", default="", help="where the file has no column")
    imports.add_argument("--dry-run", action="store_true", help="only say what it is")
    imports.set_defaults(run=_import)

    secrets = commands.add_parser("secrets", help="what is sealed in the database")
    of_secrets = secrets.add_subparsers(dest="action", required=True)
    rotate = of_secrets.add_parser(
        "rotate", parents=[config], help="seal all with the first of secrets_keys"
    )
    rotate.set_defaults(run=_rotate)

    key = commands.add_parser("key", help="keys for the configuration")
    of_key = key.add_subparsers(dest="action", required=True)
    new = of_key.add_parser("new", help="make one")
    new.add_argument(
        "kind",
        choices=("signing", "secrets"),
        help="signing: of access tokens (EdDSA); secrets: seals SIP passwords",
    )
    new.add_argument("--out", type=Path, metavar="FILE", help="instead of printing it")
    new.set_defaults(run=_new_key)


# user -----------------------------------------------------------------------------


def _add(options: argparse.Namespace) -> int:
    config = load(options.config)
    cells = {
        "id": options.user.user,
        "name": options.name,
        "number": options.number,
        "email": options.email,
        "salesforce_user_id": options.salesforce_user_id,
        "salesforce_username": options.salesforce_username,
        "sip_username": options.sip_username,
        "sip_auth_username": options.sip_auth_username,
    }
    if options.password_stdin:
        cells["sip_password"] = sys.stdin.readline().rstrip("\r\n")
    elif not options.shared_password:
        cells["sip_password"] = getpass.getpass("SIP password: ")
    if cells.get("sip_password") in ("", EMPTIES):
        return _fail("the SIP password is empty")
    row = of_cells(cells, options.user.tenant)
    if isinstance(row, list):
        return _refuse(row)

    async def add(users: StoredUsers) -> int:
        stored = await users.all()
        if any(user.key == row.key for user in stored):
            return _fail(f"user {row.key} is there already; `user import` changes them")
        tenants = {tenant.id: tenant for tenant in config.tenants}
        found = plan([row], stored, tenants, secret_box(config), source=SOURCE_COMMAND)
        if found.problems:
            return _refuse(found.problems)
        if not await users.replace(found.writes):
            return _fail(f"user {row.key} is there already")
        print(f"added {row.key}")
        return 0

    return _with_users(config, add)


def _list(options: argparse.Namespace) -> int:
    config = load(options.config)

    async def show(users: StoredUsers) -> int:
        stored = await users.all()
        tenants = {tenant.id: tenant for tenant in config.tenants}
        merged = merge(tenants, stored, secret_box(config))
        rows = [(user.key, _line_of(user, merged)) for user in stored]
        # Also beside a row that claims the same id, and is left out.
        left_out = merged.problems.keys() | {u.key for u in stored if u.is_disabled}
        from_table = {user.key for user in stored} - left_out
        for key, user in merged.users.items():
            if key not in from_table:
                rows.append((key, _configured_line(user, merged.accounts[key])))
        chosen = [
            row for key, row in sorted(rows) if options.tenant in (None, key.tenant)
        ]
        head = ("user", "state", "sip", "number", "name", "email", "crm", "from")
        _print_table([head, *chosen])
        return 0

    return _with_users(config, show)


def _configured_line(user: User, account: sip.Account) -> tuple[str, ...]:
    return (
        str(user.key),
        "active",
        account.aor.decoded_user or "",
        user.number,
        user.name,
        user.email,
        user.crm_username or user.crm_user_id,
        "configuration",
    )


def _line_of(user: StoredUser, merged: Merged) -> tuple[str, ...]:
    problem = merged.problems.get(user.key)
    state = "disabled" if user.is_disabled else "active"
    return (
        str(user.key),
        state if problem is None else f"CANNOT SIGN IN: {problem}",
        user.sip_username,
        user.number,
        user.name,
        user.email,
        user.crm_username or user.crm_user_id,
        user.source,
    )


def _switch(options: argparse.Namespace) -> int:
    config = load(options.config)
    key: UserKey = options.user
    is_disabled = options.action == "disable"

    async def switch(users: StoredUsers) -> int:
        for tenant in config.tenants:
            if tenant.id == key.tenant and key.user in {u.id for u in tenant.users}:
                return _fail(
                    f"user {key} is in the configuration: take them out there, and "
                    "start the service anew"
                )
        for user in await users.all():
            if user.key == key:
                if user.is_disabled == is_disabled:
                    print(f"{key} is {options.action}d already")
                elif await users.replace((replace(user, is_disabled=is_disabled),)):
                    print(f"{options.action}d {key}")
                else:
                    return _fail(f"somebody else has just changed {key}; once more")
                return 0
        return _fail(f"there is no user {key}")

    return _with_users(config, switch)


def _import(options: argparse.Namespace) -> int:
    config = load(options.config)
    data = (
        sys.stdin.buffer.read()
        if options.file == "-"
        else Path(options.file).read_bytes()
    )
    rows, problems = read(data, tenant=options.tenant)

    async def write(users: StoredUsers) -> int:
        tenants = {tenant.id: tenant for tenant in config.tenants}
        found = plan(rows, await users.all(), tenants, secret_box(config))
        if all_problems := sorted([*problems, *found.problems]):
            return _refuse(all_problems)
        if not options.dry_run and not await users.replace(found.writes):
            return _fail("somebody else has just changed these users; once more")
        print(_sum(found, is_dry=options.dry_run))
        return 0

    return _with_users(config, write)


def _sum(found: Plan, *, is_dry: bool) -> str:
    counts = (
        f"{found.added} added, {found.changed} changed, {found.unchanged} unchanged"
    )
    return f"dry run, nothing written: {counts}" if is_dry else counts


# secrets --------------------------------------------------------------------------


def _rotate(options: argparse.Namespace) -> int:
    config = load(options.config)
    box = secret_box(config)
    if not config.secrets_keys:
        return _fail("the configuration has no secrets_keys")

    async def rotate(users: StoredUsers) -> int:
        sealed = 0
        for _ in range(ROTATION_PASSES):
            todo: list[StoredUser] = []
            errors: list[str] = []
            for user in await users.all():
                if not user.sealed_secret or box.is_of_first_key(user.sealed_secret):
                    continue
                try:
                    secret = box.open(user.key, user.sealed_secret).reveal()
                except SecretError as error:
                    errors.append(str(error))
                else:
                    anew = box.seal(user.key, secret)
                    todo.append(replace(user, sealed_secret=anew))
            if not todo:
                break
            for start in range(0, len(todo), ROTATED_AT_ONCE):
                some = todo[start : start + ROTATED_AT_ONCE]
                if await users.replace(some):
                    sealed += len(some)
        else:
            return _fail(f"{sealed} sealed anew; others keep changing users: once more")
        said = "" if errors else "; all are of the first key"
        print(f"{sealed} sealed anew{said}")
        for text in errors:
            print(f"ringbridge: {text}", file=sys.stderr)
        return EXIT_FAILED if errors else 0

    return _with_users(config, rotate)


# key ------------------------------------------------------------------------------


def _new_key(options: argparse.Namespace) -> int:
    where = f"{{file: {options.out.name}}}" if options.out else "{env: NAME}"
    if options.kind == "secrets":
        text = Fernet.generate_key().decode("ascii") + "\n"
        hint = f"secrets_keys: [{where}]"
    else:
        key = Ed25519PrivateKey.generate()
        text = key.private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ).decode("ascii")
        digest = hashlib.sha256(key.public_key().public_bytes_raw()).digest()
        kid = base64.b32encode(digest).decode("ascii")[:KID_CHARS].lower()
        hint = f'signing_keys: [{{kid: "{kid}", private_key: {where}}}]'
    if options.out is None:
        print(text, end="")
    else:
        # Never over a key that is in use, and for nobody else to read.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with open(os.open(options.out, flags, 0o600), "w", encoding="ascii") as file:
            file.write(text)
    print(hint, file=sys.stderr if options.out is None else sys.stdout)
    return 0


# Shared ---------------------------------------------------------------------------


def _user_key(text: str) -> UserKey:
    tenant, slash, user = text.partition("/")
    if not (tenant and slash and user):
        raise argparse.ArgumentTypeError("write TENANT/ID, as in office/robin")
    return UserKey(tenant, user)


def _with_users(config: Config, work: Callable[[StoredUsers], Awaitable[int]]) -> int:
    async def run() -> int:
        database = Database(config.storage.url)
        await database.open()
        try:
            return await work(StoredUsers(database))
        finally:
            await database.close()

    return asyncio.run(run())


def _refuse(problems: list[LineProblem] | tuple[LineProblem, ...]) -> int:
    for problem in problems:
        print(problem, file=sys.stderr)
    return _fail("nothing was written")


def _fail(text: str) -> int:
    print(f"ringbridge: {text}", file=sys.stderr)
    return EXIT_FAILED


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
