"""The ``ringbridge`` command."""

from __future__ import annotations

import argparse
import asyncio
import errno
import getpass
import logging
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gateway import user_commands
from gateway.activities.dead_letters import list_dead_letters, retry
from gateway.app import Gateway
from gateway.config import Config, ConfigError, load
from gateway.identity.passwords import hash_password
from gateway.storage import Database, Outbox, OutboxState, StorageError

EXIT_FAILED = 1
EXIT_USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status (0 done, 1 failed, 2 misused)."""
    parser = argparse.ArgumentParser(
        prog="ringbridge",
        description="A WebRTC-to-SIP gateway for calls from inside a CRM.",
    )
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="log every state change"
    )
    commands = parser.add_subparsers(dest="command", required=True)

    serve = commands.add_parser("serve", help="run the service")
    serve.add_argument("--config", required=True, type=Path, metavar="FILE")

    check = commands.add_parser(
        "check-config", help="say what is wrong with a configuration, line by line"
    )
    check.add_argument("file", type=Path)

    demo = commands.add_parser(
        "demo", help="a whole small world on this machine, to try it out"
    )
    demo.add_argument(
        "--port", type=int, default=8800, help="first of four ports (default 8800)"
    )

    activities = commands.add_parser(
        "activities", help="what waits to be written to the CRM, and what failed"
    )
    activities.add_argument("--config", required=True, type=Path, metavar="FILE")
    activities.add_argument(
        "--retry",
        metavar="TENANT",
        help="make all of this tenant's waiting and failed activities due now",
    )

    commands.add_parser(
        "hash-password", help="make a password_hash for the configuration"
    )

    user_commands.add_parsers(commands)

    options = parser.parse_args(arguments)
    _log_to_stderr(
        logging.DEBUG
        if options.verbose
        # What a stranger reads there is what to click.
        else logging.WARNING
        if options.command == "demo"
        else logging.INFO
    )
    try:
        match options.command:
            case "serve":
                return _serve(load(options.config))
            case "check-config":
                return _check(options.file)
            case "demo":
                return _demo(options.port)
            case "activities":
                return _activities(load(options.config), options.retry)
            case "user" | "secrets" | "key":
                return int(options.run(options))
            case _:
                print(hash_password(getpass.getpass("Password: ")))
                return 0
    except ConfigError as error:
        _print_problems(error)
        return EXIT_USAGE
    except (OSError, StorageError) as error:
        print(f"ringbridge: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        return 130


def _log_to_stderr(level: int) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=level,
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
    )
    # These log each packet or each query at debug, and nothing an operator wants.
    for noisy in ("aioice", "aiortc", "asyncio", "aiosqlite", "urllib3", "sqlalchemy"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("aiohttp.access").setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _print_problems(error: ConfigError) -> None:
    for problem in error.problems:
        print(problem, file=sys.stderr)


def _check(file: Path) -> int:
    config = load(file)
    users = sum(len(tenant.users) for tenant in config.tenants)
    print(f"{file}: good ({len(config.tenants)} tenants, {users} users)")
    return 0


async def until_stopped(broken: asyncio.Event) -> None:
    """Wait for SIGINT or SIGTERM, or until ``broken`` is set."""
    loop = asyncio.get_running_loop()
    asked = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, asked.set)
    waiting = [asyncio.create_task(event.wait()) for event in (asked, broken)]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(name)


def _serve(config: Config) -> int:
    async def run() -> int:
        async with Gateway(config) as gateway:
            logging.getLogger(__name__).info("serving on %s", gateway.url)
            await until_stopped(gateway.broken)
            logging.getLogger(__name__).info("stopping")
            return EXIT_FAILED if gateway.broken.is_set() else 0

    return asyncio.run(run())


def _demo(port: int) -> int:
    # Imported here: nothing of the sandbox is part of the service.
    from gateway.sandbox.demo import run_demo

    try:
        asyncio.run(run_demo(first_port=port, until=until_stopped))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        print(
            f"ringbridge: one of the ports {port} to {port + 3} is taken. Try others: "
            f'make demo DEMO_OPTIONS="--port {port + 1000}"',
            file=sys.stderr,
        )
        return EXIT_FAILED
    return 0


def _activities(config: Config, retry_tenant: str | None) -> int:
    async def run() -> None:
        database = Database(config.storage.url)
        await database.open()
        try:
            outbox = Outbox(database, owner="command line")
            if retry_tenant is not None:
                count = await retry(outbox, retry_tenant, now=time.time())
                print(f"{count} activities of {retry_tenant} are due now")
                return
            for state in (OutboxState.WAITING, OutboxState.FAILED):
                for letter in await list_dead_letters(outbox, state=state):
                    print(
                        f"{state.value:8} {letter.tenant}/{letter.user} "
                        f"{letter.started_at:%Y-%m-%d %H:%M} UTC  "
                        f"{letter.kind.value:8}  {letter.subject}  "
                        f"[{letter.attempts} tries] {letter.code} {letter.problem}"
                    )
        finally:
            await database.close()

    asyncio.run(run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
