"""docs/sip-machines.md shows the tables the machines really run.

``python -m tests.sip.test_state_tables`` writes it anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sip.registration import RegistrationMachine
from sip.subscription import SubscriptionMachine
from sip.transaction_ict import InviteClientTransaction
from sip.transaction_ist import InviteServerTransaction
from sip.transaction_nict import NonInviteClientTransaction
from sip.transaction_nist import NonInviteServerTransaction
from sip.transfer_in import TransferIn
from sip.transfer_out import TransferOut

PAGE = Path(__file__).parents[2] / "docs" / "sip-machines.md"
MACHINES = (
    ("INVITE client transaction", InviteClientTransaction.TABLE),
    ("INVITE server transaction", InviteServerTransaction.TABLE),
    ("Non-INVITE client transaction", NonInviteClientTransaction.TABLE),
    ("Non-INVITE server transaction", NonInviteServerTransaction.TABLE),
    ("Registration", RegistrationMachine.TABLE),
    ("Subscription", SubscriptionMachine.TABLE),
    ("Transfer that we asked for", TransferOut.TABLE),
    ("Transfer that the peer asks for", TransferIn.TABLE),
)


def page() -> str:
    parts = [
        "# State machines of the SIP library",
        "",
        "Made from the tables in the code; what stands in no row changes nothing.",
    ]
    for title, table in MACHINES:
        parts += ["", f"## {title}", "", *diagram(table)]
    return "\n".join(parts) + "\n"


def diagram(table: Mapping[Any, tuple[Any, Callable[..., Any]]]) -> list[str]:
    lines = ["```mermaid", "stateDiagram-v2"]
    for (state, event), (after, _) in table.items():
        lines.append(f"    {name(state)} --> {name(after)}: {event}")
    return [*lines, "```"]


def name(state: str) -> str:
    return str(state).upper()


def test_the_page_shows_the_tables() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
