"""Debian's Dovecot on loopback, as nobody in particular, with a folder of its own."""

from __future__ import annotations

import grp
import imaplib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.sandbox.salesforce.certificates import make_certificate
from tests.conftest import program
from tests.system.ports import free_port

PASSWORD = "correct-horse"

CONFIG = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
default_login_user = {user}
default_internal_user = {user}
default_internal_group = {group}
ssl = yes
ssl_cert = <{folder}/certificate.pem
ssl_key = <{folder}/key.pem
disable_plaintext_auth = no
mail_location = maildir:{folder}/mail/%u
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/home/%u
}}
first_valid_uid = 1
service anvil {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {tls}
    ssl = yes
  }}
}}
service imap {{
  process_limit = 20
}}
service stats {{
  chroot =
}}
"""


class Dovecot:
    """One IMAP server, by TLS on ``tls_port`` and with STARTTLS on ``port``; a context
    manager. ``ca_file`` is the certificate to trust. Every user has a mailbox."""

    def __init__(self) -> None:
        self.port, self.tls_port = free_port(), free_port()
        # Not below pytest's folder, which only its owner may enter.
        self._folder = Path(tempfile.mkdtemp(prefix="dovecot"))
        owner = pwd.getpwuid(os.geteuid())
        if owner.pw_uid == 0:
            owner = pwd.getpwnam("nobody")
        make_certificate().server_context(self._folder)
        self.ca_file = self._folder / "certificate.pem"
        self.log = self._folder / "log"
        self.log.touch()
        config = self._folder / "dovecot.conf"
        names = {
            "folder": self._folder,
            "user": owner.pw_name,
            "group": grp.getgrgid(owner.pw_gid).gr_name,
            "password": PASSWORD,
            "plain": self.port,
            "tls": self.tls_port,
        }
        config.write_text(CONFIG.format_map(names), encoding="utf-8")
        self._command = [str(program("dovecot")), "-F", "-c", str(config)]
        if os.geteuid() == 0:
            for path in (self._folder, *self._folder.iterdir()):
                os.chown(path, owner.pw_uid, owner.pw_gid)
            own = ["--reuid", str(owner.pw_uid), "--regid", str(owner.pw_gid)]
            self._command = ["setpriv", *own, "--clear-groups", *self._command]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        try:
            self._wait_until_it_listens()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        process = self._process
        assert process is not None
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait_until_it_listens(self) -> None:
        until = time.monotonic() + 20
        for port in (self.port, self.tls_port):
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except OSError:
                    assert self._process is not None
                    is_late = time.monotonic() > until
                    if is_late or self._process.poll() is not None:
                        raise RuntimeError(self.log.read_text()) from None
                    time.sleep(0.05)

    # As somebody else with a mail program ---------------------------------------------

    @contextmanager
    def client(self, user: str) -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4("127.0.0.1", self.port, timeout=10) as client:
            client.login(user, PASSWORD)
            yield client

    def append(self, user: str, *messages: bytes) -> None:
        """Put messages into the inbox, as a delivery does: not seen."""
        with self.client(user) as client:
            for message in messages:
                assert client.append("INBOX", "", "", message)[0] == "OK"

    def flags(self, user: str, folder: str = "INBOX") -> list[set[str]]:
        """Of each message in the folder, by age; no message is touched."""
        with self.client(user) as client:
            state, (count, *_) = client.select(f'"{folder}"', readonly=True)
            if state != "OK" or count == b"0":
                return []
            answer = client.fetch("1:*", "(FLAGS)")[1]
        return [
            {flag.decode() for flag in imaplib.ParseFlags(line)}
            for line in answer
            if isinstance(line, bytes)
        ]
