"""Writes what is derived from ``wire.py``: PROTOCOL.md's tables, schema, typings.

``python -m gateway.sessions.document`` writes; ``--check`` only compares and fails
when a file differs from what the types say.
"""
