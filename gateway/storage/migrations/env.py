"""Run by Alembic with the connection that :class:`gateway.storage.Database` opened."""

from alembic import context

from gateway.storage.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # The caller's transaction is the only one, also in SQLite: all or nothing.
    transactional_ddl=True,
    # SQLite cannot alter columns in place; batches rebuild the table.
    render_as_batch=True,
)
context.run_migrations()
