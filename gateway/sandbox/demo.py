"""``ringbridge demo``: the service in a whole small world, all on loopback.

An application server, the rep's desk phone, two customers' phones and their mailbox, a
Salesforce simulator, and the real service with a configuration like any other.
Everything is in this one process but the media workers, and nothing of it outlives
Ctrl-C.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.app import Gateway
from gateway.config import Config
from gateway.sandbox.application_server import ApplicationServer
from gateway.sandbox.console_server import Console
from gateway.sandbox.mailbox import Mailbox
from gateway.sandbox.phone import Phone, PhoneConfig
from gateway.sandbox.salesforce import (
    ConnectedApp,
    SalesforceSimulator,
    SimulatorConfig,
)
from gateway.sessions.oauth import CALLBACK
from sip.clock import LoopClock

HOST = "127.0.0.1"
DOMAIN = "acme.example"
CONSUMER_KEY = "ringbridge-sandbox-app"
REP_NUMBER = "1001"
GUEST_ACCOUNT = "guests"


def _phones(secret: Callable[[], str]) -> tuple[PhoneConfig, PhoneConfig, PhoneConfig]:
    """Ana, who is a contact; Jo, whom nobody knows; Robin's desk phone."""
    return (
        PhoneConfig(
            name="ana",
            label="Ana Ruiz",
            number="+16465550175",
            password=secret(),
            sound="greeting",
            answers_after_s=3.0,
        ),
        PhoneConfig(
            name="stranger",
            label="Jo March",
            number="+12125550143",
            password=secret(),
            sound="greeting",
        ),
        PhoneConfig(
            name="desk",
            label="Robin's desk phone",
            number=REP_NUMBER,
            password=secret(),
            sound="desk",
        ),
    )


class Demo:
    """The small world. ``async with Demo(first_port=8800) as demo: ...``"""

    def __init__(self, *, first_port: int, directory: Path) -> None:
        self._ports = range(first_port, first_port + 4)
        self._directory = directory
        self._rng = random.SystemRandom()
        self._stack = AsyncExitStack()

    @property
    def salesforce_url(self) -> str:
        """The rep's page. Another host name than the widget's: another origin."""
        return f"http://localhost:{self._ports[1]}/"

    @property
    def console_url(self) -> str:
        """The telephones around the rep."""
        return f"http://localhost:{self._ports[2]}/"

    @property
    def mailbox_url(self) -> str:
        """The mails that customers get."""
        return f"{self.console_url}mailbox"

    @property
    def widget_url(self) -> str:
        return f"http://{HOST}:{self._ports[0]}"

    async def __aenter__(self) -> Demo:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        phones: dict[str, Phone] = {}
        mailbox = Mailbox(now=time.time)
        await mailbox.start(HOST)
        self._stack.push_async_callback(mailbox.close)
        console = Console(
            phones,
            {"ana": ("Robin", REP_NUMBER), "stranger": ("Robin", REP_NUMBER)},
            mailbox=mailbox,
            now=time.time,
        )
        mailbox.on_change = console.mails_changed
        guest_password = secrets.token_hex(8)
        ana, stranger, desk = _phones(lambda: secrets.token_hex(8))
        server = ApplicationServer(
            DOMAIN,
            {phone.number: phone.password for phone in (ana, stranger, desk)}
            | {GUEST_ACCOUNT: guest_password},
            host=HOST,
            port=self._ports[3],
            clock=LoopClock(),
            rng=self._rng,
            guest_account=GUEST_ACCOUNT,
            on_event=console.say,
        )
        await server.start()
        self._stack.push_async_callback(server.close)
        await self._serve(console.application(), "localhost", self._ports[2])

        app_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        simulator = SalesforceSimulator(
            SimulatorConfig(
                adapter_url=f"{self.widget_url}/widget/salesforce",
                gateway_url=self.widget_url,
                apps=(
                    ConnectedApp(
                        CONSUMER_KEY,
                        _public_pem(app_key),
                        redirect_uris=(f"{self.widget_url}{CALLBACK}",),
                        pkce_required=True,
                        secret_required=False,
                    ),
                ),
                index_lag_s=2.0,
            ),
            rng=self._rng,
        )
        await simulator.start("localhost", self._ports[1])
        self._stack.push_async_callback(simulator.close)

        robin = simulator.user("robin.reyes@acme.example")
        config = self._config(
            simulator,
            app_key,
            robin_id=robin.id,
            rep_password=desk.password,
            guest_password=guest_password,
            mail=mailbox.address,
        )
        await self._stack.enter_async_context(Gateway(config, rng=self._rng))
        for phone_config in (ana, stranger, desk):
            phone = Phone(
                phone_config,
                domain=DOMAIN,
                server=(HOST, self._ports[3]),
                rng=self._rng,
                on_change=console.phones_changed,
            )
            phones[phone_config.name] = phone
            await phone.start()
            self._stack.push_async_callback(phone.close)

    async def _serve(self, app: web.Application, host: str, port: int) -> None:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, host, port).start()

    def _config(
        self,
        simulator: SalesforceSimulator,
        app_key: rsa.RSAPrivateKey,
        *,
        robin_id: str,
        rep_password: str,
        guest_password: str,
        mail: tuple[str, int],
    ) -> Config:
        private_pem = app_key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode("ascii")
        salesforce = self.salesforce_url.rstrip("/")
        return Config.model_validate(
            {
                "signing_key": secrets.token_hex(32),
                "http": {
                    "host": HOST,
                    "port": self._ports[0],
                    "public_url": self.widget_url,
                },
                "sip": {"bind_host": HOST, "bind_port": 0},
                "media": {
                    "bind_host": HOST,
                    "browser_port": 0,
                    "rtp_port_min": 0,
                    "rtp_port_max": 0,
                    # On loopback no packet is late.
                    "quiet_s": 1,
                },
                "storage": {
                    "url": f"sqlite+aiosqlite:///{self._directory}/ringbridge.db",
                    "spool": f"{self._directory}/ringbridge.spool",
                },
                "tenants": [
                    {
                        "id": "acme",
                        "company": "Acme Telephones",
                        "application_server": {
                            "domain": DOMAIN,
                            "registrar": f"sip:{HOST}:{self._ports[3]}",
                        },
                        "salesforce": {
                            "my_domain": salesforce,
                            "lightning": salesforce,
                            "token_url": f"{salesforce}/services/oauth2/token",
                            "consumer_key": CONSUMER_KEY,
                            "private_key": private_pem,
                            "identity_issuer": simulator.organization_id,
                            "identity_key": simulator.identity_public_key_pem,
                            "sign_in": {"organizations": [simulator.organization_id]},
                        },
                        "phone_sign_in": True,
                        "invites": {
                            "mail": {
                                "host": mail[0],
                                "port": mail[1],
                                "security": "none",
                                "sender": "invitations@acme.example",
                            },
                            "sip": {
                                "username": GUEST_ACCOUNT,
                                "password": guest_password,
                            },
                        },
                        "users": [
                            {
                                "id": "robin",
                                "name": "Robin Reyes",
                                "email": "robin.reyes@acme.example",
                                "number": REP_NUMBER,
                                "sip": {
                                    "username": REP_NUMBER,
                                    "password": rep_password,
                                },
                                "salesforce": {
                                    "user_id": robin_id,
                                    "username": "robin.reyes@acme.example",
                                },
                            }
                        ],
                    }
                ],
            }
        )


def _public_pem(key: rsa.RSAPrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo,
        )
        .decode("ascii")
    )


INSTRUCTIONS = """
Ringbridge's sandbox is up: everything runs on this machine, nothing leaves it.

  The rep's Salesforce   {salesforce}
  The other telephones   {console}
  The customers' mailbox {mailbox}
  The phone by itself    {widget}

1. Open them in Chrome, Edge or Firefox, side by side, with a headset. Robin is signed
   in; "Phone" at the bottom of the Salesforce page is the widget. Allow microphone
   and camera when the browser asks.
2. On the telephones page, click "Call Robin" at Ana Ruiz's phone. The desk phone and
   the widget ring together, and the widget shows who it is. Click "Answer": Ana
   speaks, then plays back what she hears from you. "Open in Salesforce" shows her.
3. Type something under Notes, and hang up: the call is in the activity history on
   Ana's page, with your notes. Jo March is in no Salesforce: when she calls, the
   widget offers to add her as a contact.
4. To call out, open Contacts, Ana Ruiz, and click her telephone number.
5. Reload the Salesforce page in the middle of a call: it goes on. With "Hold" Ana
   hears music. "Transfer", +12125550143 and "Transfer now" call Jo March: answer on the
   telephones page, and Ana and Jo talk without Robin.
6. For a video call, click the camera beside Ana Ruiz's telephone number, then "Now"
   and "Send invite". The mail is in the mailbox: open its link and click "Join".
7. Click "Video" in the widget: the call has a window of its own. "Leave" on Ana's page
   ends it; meeting and call are in the activity history. With another guest in the
   invite, the second link in the mailbox brings a third into the same call.
8. The phone by itself asks who you are: "Sign in with Salesforce", as Robin.

Ctrl-C ends everything.
"""


async def run_demo(
    *, first_port: int, until: Callable[[asyncio.Event], Awaitable[None]]
) -> None:
    """Start the world, say what to click, wait, end it all.

    Raises:
        OSError: a port is taken.
    """
    with tempfile.TemporaryDirectory(prefix="ringbridge-demo-") as directory:
        async with Demo(first_port=first_port, directory=Path(directory)) as demo:
            text = INSTRUCTIONS.format(
                salesforce=demo.salesforce_url,
                console=demo.console_url,
                mailbox=demo.mailbox_url,
                widget=f"{demo.widget_url}/widget/",
            )
            print(text, flush=True)
            await until(asyncio.Event())
            print("Ending ...", file=sys.stderr)
