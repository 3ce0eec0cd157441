"""``ringbridge user``, ``secrets``, ``key``: what they write, and never print."""

from __future__ import annotations

import asyncio
import io
import stat
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.fernet import Fernet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import cli
from gateway.config import load
from gateway.identity.sealing import SecretBox
from gateway.identity.stored import StoredUser
from gateway.identity.users import UserKey
from gateway.storage import Database, StoredUsers

OLD = Fernet.generate_key().decode()
NEW = Fernet.generate_key().decode()
CONFIG = """\
signing_key: 0123456789abcdef0123456789abcdef
storage: {url: "sqlite+aiosqlite:///%s/users.db"}
secrets_keys: [%s]
tenants:
  - id: acme
    application_server: {domain: acme.example, registrar: "sip:127.0.0.1:5060"}
    provisioning: {rules: [{by: field}], sip_password: shared}
    users: [{id: robin, name: Robin Reyes, sip: {username: "1000", password: x}}]
  - id: globex
    application_server: {domain: globex.example, registrar: "sip:127.0.0.1:5060"}
"""
SAM = UserKey("acme", "sam")
SAMS_NAME = ("--name", "Sam Okafor", "--sip-username", "1001")


class Command:
    """Runs the command against one configuration; keeps what it printed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        self.file = folder / "ringbridge.yaml"
        self.keys(OLD)

    def keys(self, *keys: str) -> None:
        text = CONFIG % (self.folder, ", ".join(keys))
        self.file.write_text(text, encoding="utf-8")

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        code = cli.main([*arguments, "--config", str(self.file)])
        out, err = self._capsys.readouterr()
        assert "geheim" not in out + err
        return code, out, err

    def rows(self) -> dict[UserKey, StoredUser]:
        async def read() -> tuple[StoredUser, ...]:
            database = Database(f"sqlite:///{self.folder}/users.db")
            await database.open()
            try:
                return await StoredUsers(database).all()
            finally:
                await database.close()

        return {user.key: user for user in asyncio.run(read())}

    def csv(self, text: str) -> str:
        file = self.folder / "users.csv"
        file.write_text(text, encoding="utf-8")
        return str(file)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tmp_path, capsys)


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda _: "geheim")


def test_a_user_is_added_with_a_sealed_password(run: Command) -> None:
    code, out, _ = run("user", "add", "acme/sam", *SAMS_NAME, "--number", "77")
    assert (code, out) == (0, "added acme/sam\n")
    sam = run.rows()[SAM]
    assert (sam.name, sam.number, sam.source) == ("Sam Okafor", "77", "command")
    assert SecretBox([OLD]).open(SAM, sam.sealed_secret).reveal() == "geheim"
    assert b"geheim" not in (run.folder / "users.db").read_bytes()

    code, _, err = run("user", "add", "acme/sam", *SAMS_NAME)
    assert code == cli.EXIT_FAILED
    assert "user acme/sam is there already" in err


def test_passwords_by_standard_input_or_shared(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("ein geheim wort \nrest\n"))
    assert run("user", "add", "acme/sam", *SAMS_NAME, "--password-stdin")[0] == 0
    sealed = run.rows()[SAM].sealed_secret
    assert SecretBox([OLD]).open(SAM, sealed).reveal() == "ein geheim wort "
    shared = ("--name", "N", "--sip-username", "2", "--shared-password")
    assert run("user", "add", "acme/noa", *shared)[0] == 0
    assert run.rows()[UserKey("acme", "noa")].sealed_secret == ""
    # Which globex has not.
    code, _, err = run("user", "add", "globex/noa", *shared)
    assert code == cli.EXIT_FAILED
    assert "has no SIP password" in err
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert run("user", "add", "acme/ida", *SAMS_NAME, "--password-stdin")[0] == 1


@pytest.mark.parametrize(
    ("user", "name", "problem"),
    [
        ("acme/robin", "7", "is there already: 'robin' in the configuration"),
        ("acme/sam", "1000", "SIP username '1000' is that of 'robin'"),
        ("evil/sam", "7", "the configuration has no tenant 'evil'"),
        ("acme/a b", "7", "id must be 1 to 64 letters"),
        ("acme/sam", "7@evil", "sip_username must be"),
    ],
)
def test_what_cannot_be_added(run: Command, user: str, name: str, problem: str) -> None:
    code, _, err = run("user", "add", user, "--name", "X", "--sip-username", name)
    assert code == cli.EXIT_FAILED
    assert problem in err
    assert run.rows() == {}


def test_a_password_in_the_arguments_is_no_option(run: Command) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["user", "add", "acme/sam", *SAMS_NAME, "--password", "geheim"])
    assert caught.value.code == cli.EXIT_USAGE
    with pytest.raises(SystemExit):
        cli.main(["user", "disable", "sam", "--config", str(run.file)])


def test_disabled_and_enabled(run: Command) -> None:
    run("user", "add", "acme/sam", *SAMS_NAME)
    assert run("user", "disable", "acme/sam")[1] == "disabled acme/sam\n"
    assert run.rows()[SAM].is_disabled
    assert run("user", "disable", "acme/sam")[:2] == (
        0,
        "acme/sam is disabled already\n",
    )
    assert run("user", "enable", "acme/sam")[1] == "enabled acme/sam\n"
    assert not run.rows()[SAM].is_disabled
    code, _, err = run("user", "disable", "acme/nobody")
    assert (code, "there is no user acme/nobody" in err) == (1, True)
    code, _, err = run("user", "disable", "acme/robin")
    assert (code, "is in the configuration" in err) == (1, True)


def test_an_import_dry_and_wet_and_again(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "id,name,sip_username,sip_password\nsam,Sam,1001,geheim\nnoa,Noa,1002,\n"
    file = run.csv(text)
    command = ("user", "import", file, "--tenant", "acme")
    said = "dry run, nothing written: 2 added, 0 changed, 0 unchanged\n"
    assert run(*command, "--dry-run")[:2] == (0, said)
    assert run.rows() == {}
    assert run(*command)[1] == "2 added, 0 changed, 0 unchanged\n"
    assert run(*command)[1] == "0 added, 0 changed, 2 unchanged\n"
    stdin = SimpleNamespace(buffer=io.BytesIO(text.replace("Noa", "Noah").encode()))
    monkeypatch.setattr("sys.stdin", stdin)
    code, out, _ = run("user", "import", "-", "--tenant", "acme")
    assert (code, out) == (0, "0 added, 1 changed, 1 unchanged\n")
    assert run.rows()[UserKey("acme", "noa")].revision == 2


def test_an_import_with_problems_writes_nothing(run: Command) -> None:
    file = run.csv(
        "id,name,sip_username,sip_password\n"
        "sam,Sam,1001,geheim\nrobin,R,5,geheim\nnoa,,x y,geheim\n"
    )
    code, out, err = run("user", "import", file, "--tenant", "acme")
    assert (code, out) == (cli.EXIT_FAILED, "")
    assert err.splitlines() == [
        "line 3: user acme/robin: is there already: 'robin' in the configuration",
        "line 4: sip_username must be 1 to 64 letters, digits and -._~+*!'()",
        "ringbridge: nothing was written",
    ]
    assert run.rows() == {}
    code, _, err = run("user", "import", str(run.folder / "missing.csv"))
    assert (code, "missing.csv" in err) == (cli.EXIT_FAILED, True)


def test_who_is_there_and_who_cannot_sign_in(run: Command) -> None:
    run("user", "add", "acme/sam", *SAMS_NAME)
    run("user", "add", "acme/noa", "--name", "Noa", "--sip-username", "1002")
    run("user", "disable", "acme/noa")
    run("user", "add", "globex/sam", *SAMS_NAME)
    text = run.file.read_text(encoding="utf-8")
    # The configuration claims what a row has.
    run.file.write_text(text.replace('"1000"', '"1001"'), encoding="utf-8")
    code, out, _ = run("user", "list")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert [line[:2] for line in lines] == [
        ["user", "state"],
        ["acme/noa", "disabled"],
        ["acme/robin", "active"],
        ["acme/sam", "CANNOT"],
        ["globex/sam", "active"],
    ]
    assert "SIP username '1001' is that of 'robin' in the configuration" in out
    assert run("user", "list", "--tenant", "globex")[1].count("\n") == 2
    run.keys(NEW)
    assert "none of secrets_keys opens the secret of acme/sam" in run("user", "list")[1]
    run.keys()
    assert "the configuration has no secrets_keys" in run("user", "list")[1]


def test_secrets_are_sealed_anew(run: Command) -> None:
    run("user", "add", "acme/sam", *SAMS_NAME)
    run("user", "add", "globex/sam", *SAMS_NAME)
    shared = ("--name", "N", "--sip-username", "2", "--shared-password")
    run("user", "add", "acme/noa", *shared)
    run.keys(NEW, OLD)
    said = "2 sealed anew; all are of the first key\n"
    assert run("secrets", "rotate")[:2] == (0, said)
    box = SecretBox([NEW])
    for key, user in run.rows().items():
        if key.user == "sam":
            assert box.open(key, user.sealed_secret).reveal() == "geheim"
    assert run("secrets", "rotate")[1].startswith("0 sealed anew")
    # Without the old key.
    run.keys(NEW)
    assert run("secrets", "rotate")[0] == 0
    run.keys(OLD)
    code, out, err = run("secrets", "rotate")
    assert (code, out) == (cli.EXIT_FAILED, "0 sealed anew\n")
    assert "none of secrets_keys opens the secret of globex/sam" in err
    run.keys()
    assert "has no secrets_keys" in run("secrets", "rotate")[2]


def test_new_keys_go_into_a_configuration(
    run: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("signing", "secrets"):
        file = tmp_path / f"{kind}.key"
        assert cli.main(["key", "new", kind, "--out", str(file)]) == 0
        out, err = capsys.readouterr()
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert file.read_text().strip() not in out + err
        # Never over one that is in use.
        assert cli.main(["key", "new", kind, "--out", str(file)]) == cli.EXIT_FAILED
        assert capsys.readouterr().out == ""
        text = run.file.read_text(encoding="utf-8")
        kept = [
            line for line in text.splitlines() if not line.startswith(f"{kind}_keys")
        ]
        run.file.write_text("\n".join([out, *kept]), encoding="utf-8")
    config = load(run.file)
    assert config.token_keys[0].algorithm == "EdDSA"
    assert SecretBox([config.secrets_keys[0].get_secret_value()]).seal(SAM, "x")
    assert cli.main(["key", "new", "secrets"]) == 0
    out, err = capsys.readouterr()
    assert SecretBox([out.strip()])
    assert err.strip() == "secrets_keys: [{env: NAME}]"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
@given(data=st.binary(max_size=80))
def test_any_file_is_imported_or_refused(run: Command, data: bytes) -> None:
    file = run.folder / "any.csv"
    file.write_bytes(b"id,name,sip_username\n" + data)
    assert run("user", "import", str(file), "--tenant", "acme")[0] in (0, 1)
