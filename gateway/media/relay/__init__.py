"""The embedded media engine: packets relayed by worker processes of our own."""

from gateway.media.relay.config import RelayConfig, SymmetricRtp
from gateway.media.relay.engine import RelayEngine
from gateway.media.relay.worker_process import WorkerStartError

__all__ = ["RelayConfig", "RelayEngine", "SymmetricRtp", "WorkerStartError"]
