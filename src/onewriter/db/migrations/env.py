"""Run by Alembic: migrate over the connection that `onewriter.db.migrate` hands in."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=context.config.attributes["metadata"],
    # The caller owns the transaction: on SQLite all migrations of an upgrade land together or not at all.
    transactional_ddl=True,
    compare_type=True,
)
context.run_migrations()
