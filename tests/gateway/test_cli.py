"""The command: what it prints, and how it ends."""

from __future__ import annotations

import asyncio
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway import cli
from gateway.activities.composer import compose
from gateway.activities.record import CallRecord
from gateway.crm.connector import CrmUser, Meeting
from gateway.identity.passwords import verify_password
from gateway.identity.users import User, UserKey
from gateway.sessions.wire import CallDirection, EndReason
from gateway.storage import CallJournal, Database, Outbox, OutboxState, put_meeting

GOOD = """\
signing_key: 0123456789abcdef0123456789abcdef
storage: {url: "sqlite+aiosqlite:///%s/calls.db"}
tenants:
  - id: acme
    application_server: {domain: acme.example, registrar: "sip:127.0.0.1:5060"}
    users: [{id: robin, name: Robin Reyes, sip: {username: "1000", password: x}}]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "ringbridge.yaml"
    file.write_text(GOOD % tmp_path, encoding="utf-8")
    return file


def test_a_good_configuration(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check-config", str(file)]) == 0
    assert "good (1 tenants, 1 users)" in capsys.readouterr().out


def test_a_bad_one_line_by_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("id: robin, ", "") + "colour: red\n", encoding="utf-8")
    assert cli.main(["check-config", str(file)]) == cli.EXIT_USAGE
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "line 6: tenants[0].users[0].id: is missing",
        "line 7: colour: is no setting that ringbridge knows",
    ]


def test_serve_refuses_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "missing.yaml"
    assert cli.main(["serve", "--config", str(missing)]) == cli.EXIT_USAGE
    assert "cannot read" in capsys.readouterr().err


def test_a_password_is_hashed_and_never_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("getpass.getpass", lambda prompt: "secret words")
    assert cli.main(["hash-password"]) == 0
    out = capsys.readouterr().out
    assert "secret words" not in out
    assert verify_password("secret words", out.strip())


def test_what_waits_and_what_failed(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    robin = User(UserKey("acme", "robin"), "Robin Reyes", "1000")
    started = datetime(2026, 11, 20, 10, 24, tzinfo=UTC).timestamp()

    meeting = Meeting(
        key="meet:i1",
        user=CrmUser("acme", "", "robin"),
        subject="Video call: Quote",
        description="",
        starts_at=datetime(2026, 11, 25, 14, 0, tzinfo=UTC),
        ends_at=datetime(2026, 11, 25, 14, 30, tzinfo=UTC),
    )

    async def fail_one() -> None:
        database = Database(f"sqlite+aiosqlite:///{file.parent}/calls.db")
        await database.open()
        journal, outbox = CallJournal(database), Outbox(database, owner="test")
        for name in ("one", "two"):
            call = CallRecord(
                call_id=name,
                user=robin.key,
                direction=CallDirection.INBOUND,
                number="+16465550175",
                e164="+16465550175",
                display_name="",
                record=None,
                started_at=started,
                ended_at=started + 5,
                reason=EndReason.MISSED,
            )
            await journal.started(call)
            await journal.ended(call, compose(call, robin))
        entry, *_ = await outbox.claim("acme", now=started + 10, limit=1, lease_s=60)
        await outbox.mark_failed(entry, problem="Phone is required", code="REQUIRED")
        async with database.writing() as connection:
            await put_meeting(
                connection, database, robin.key, "i1", meeting, now=started
            )
        await database.close()

    async def counts() -> dict[tuple[str, OutboxState], int]:
        database = Database(f"sqlite+aiosqlite:///{file.parent}/calls.db")
        await database.open()
        try:
            return await Outbox(database, owner="test").counts()
        finally:
            await database.close()

    asyncio.run(fail_one())
    assert cli.main(["activities", "--config", str(file)]) == 0
    waiting, meant, failed = capsys.readouterr().out.splitlines()
    assert waiting.startswith("waiting  acme/robin 2026-11-20 10:24 UTC")
    assert "  activity  Call from" in waiting
    assert meant.startswith(
        "waiting  acme/robin 2026-11-25 14:00 UTC  meeting   Video call: Quote  [0"
    )
    assert failed.startswith("failed   acme/robin 2026-11-20 10:24 UTC")
    assert failed.endswith("REQUIRED Phone is required")

    retry = ["activities", "--config", str(file), "--retry", "acme"]
    assert cli.main(retry) == 0
    assert "3 activities of acme are due now" in capsys.readouterr().out
    assert asyncio.run(counts()) == {("acme", OutboxState.WAITING): 3}


def test_demo_says_which_port_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1] - 3
        assert cli.main(["demo", "--port", str(port)]) == cli.EXIT_FAILED
    error = capsys.readouterr().err
    assert f"the ports {port} to {port + 3} is taken" in error
    assert f"--port {port + 1000}" in error
