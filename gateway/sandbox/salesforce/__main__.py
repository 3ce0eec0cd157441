"""``python -m gateway.sandbox.salesforce``: the simulator as a process of its own."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from gateway.sandbox.salesforce import (
    ConnectedApp,
    MicrophoneMode,
    SalesforceSimulator,
    SimulatorConfig,
)


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m gateway.sandbox.salesforce",
        description="A local Salesforce. Prints one line of JSON when it is ready.",
    )
    defaults = SimulatorConfig()
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=0, help="0 for any")
    add("--tls-port", type=int, default=None, help="listen with TLS too; 0 for any")
    add("--adapter-url", default=defaults.adapter_url, help="page of the widget")
    add("--gateway-url", default=defaults.gateway_url, help="audience of identities")
    add("--state", type=Path, default=None, help="file that keeps the org")
    add(
        "--app",
        action="append",
        default=[],
        metavar="KEY=FILE",
        help="consumer key and the PEM file of its public key",
    )
    add("--index-lag", type=float, default=0.0, help="seconds")
    add("--api-limit", type=int, default=defaults.daily_api_limit)
    add(
        "--microphone",
        type=MicrophoneMode,
        choices=list(MicrophoneMode),
        default=MicrophoneMode.DELEGATED,
    )
    return parser.parse_args(argv)


def _app(text: str) -> ConnectedApp:
    key, _, file = text.partition("=")
    return ConnectedApp(key, Path(file).read_text(encoding="utf-8"))


async def _run(arguments: argparse.Namespace, apps: tuple[ConnectedApp, ...]) -> None:
    simulator = SalesforceSimulator(
        SimulatorConfig(
            adapter_url=arguments.adapter_url,
            gateway_url=arguments.gateway_url,
            state_file=arguments.state,
            apps=apps,
            index_lag_s=arguments.index_lag,
            daily_api_limit=arguments.api_limit,
            microphone=arguments.microphone,
        )
    )
    done = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, done.set)
    await simulator.start(arguments.host, arguments.port, tls_port=arguments.tls_port)
    ready = {
        "url": simulator.url,
        "tls_url": simulator.tls_url,
        "certificate": str(simulator.certificate_path or ""),
        "organization_id": simulator.organization_id,
        "identity_public_key_pem": simulator.identity_public_key_pem,
    }
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    try:
        await done.wait()
    finally:
        await simulator.close()


def main(argv: list[str] | None = None) -> None:
    arguments = _arguments(sys.argv[1:] if argv is None else argv)
    asyncio.run(_run(arguments, tuple(_app(text) for text in arguments.app)))


if __name__ == "__main__":
    main()
