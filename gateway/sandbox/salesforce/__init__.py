"""A local Salesforce for the demo and the tests (docs/design/005)."""

from gateway.sandbox.salesforce.config import (
    ConnectedApp,
    MicrophoneMode,
    PhoneIndexing,
    SimulatorConfig,
)
from gateway.sandbox.salesforce.customisation import (
    DuplicateAction,
    Profile,
    RecordType,
    ValidationRule,
)
from gateway.sandbox.salesforce.faults import Fault, FaultKind
from gateway.sandbox.salesforce.journal import Entry
from gateway.sandbox.salesforce.schema import Field
from gateway.sandbox.salesforce.simulator import SalesforceSimulator

__all__ = [
    "ConnectedApp",
    "DuplicateAction",
    "Entry",
    "Fault",
    "FaultKind",
    "Field",
    "MicrophoneMode",
    "PhoneIndexing",
    "Profile",
    "RecordType",
    "SalesforceSimulator",
    "SimulatorConfig",
    "ValidationRule",
]
