"""Where calls and their unwritten activities are kept: a database and small doors.

:class:`Database` opens it and brings its tables up to date, :class:`CallJournal` and
:class:`Outbox` are the repositories, :class:`JournalWriter` is what the running
service writes calls through.
"""

from gateway.storage.calls import CallJournal, HistoryEntry
from gateway.storage.database import Database, StorageError
from gateway.storage.journal_writer import JournalWriter
from gateway.storage.outbox import Outbox, OutboxEntry
from gateway.storage.outbox_rows import (
    OutboxKind,
    OutboxState,
    meeting_views,
    put_activity,
    put_meeting,
)
from gateway.storage.sign_ins import SignInTable
from gateway.storage.spool import Spool
from gateway.storage.users import StoredUsers

__all__ = [
    "CallJournal",
    "Database",
    "HistoryEntry",
    "JournalWriter",
    "Outbox",
    "OutboxEntry",
    "OutboxKind",
    "OutboxState",
    "SignInTable",
    "Spool",
    "StorageError",
    "StoredUsers",
    "meeting_views",
    "put_activity",
    "put_meeting",
]
