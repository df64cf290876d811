"""Connected systems: which there are, who writes which field, what is pending, parked and expected there.

Revision: 0006, after 0005
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_systems()
    _create_policies()
    _create_expectations()
    _move_owners()
    _widen_customers_and_sides()
    _widen_log_and_marks()


def _create_systems() -> None:
    op.create_table(
        "systems",
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("box", sa.LargeBinary(), nullable=False),
        sa.Column("creates", sa.Boolean(), nullable=False),
        sa.Column("cycle_minutes", sa.Integer(), nullable=True),
        sa.Column("full_hours", sa.Integer(), nullable=False),
        sa.Column("cursor_box", sa.LargeBinary(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("cycle_at", sa.BigInteger(), nullable=True),
        sa.Column("full_at", sa.BigInteger(), nullable=True),
        sa.Column("agreed_version", sa.Integer(), nullable=False),
        sa.Column("allowed", sa.JSON(), nullable=False),
        sa.Column("retry_at", sa.BigInteger(), nullable=True),
        sa.Column("trouble", sa.Text(), nullable=True),
        sa.Column("trouble_since", sa.BigInteger(), nullable=True),
        sa.Column("discovered", sa.JSON(), nullable=True),
        sa.Column("discovered_at", sa.BigInteger(), nullable=True),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.Column("added_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_systems_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", "name", name=op.f("pk_systems")),
    )


def _create_policies() -> None:
    op.create_table(
        "policies",
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=True),
        sa.Column("document", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_policies_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", "version", name=op.f("pk_policies")),
    )


def _create_expectations() -> None:
    op.create_table(
        "expectations",
        sa.Column("shop_id", sa.Integer(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.LargeBinary(length=16), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["shop_id"], ["shops.id"], name=op.f("fk_expectations_shop_id")),
        sa.PrimaryKeyConstraint("shop_id", "system", "record_id", "field", name=op.f("pk_expectations")),
    )
    op.create_index("ix_expectations_customer_id", "expectations", ["customer_id"], unique=False)


def _move_owners() -> None:
    """What said who owns which field becomes the first version of each shop's policy."""
    db = op.get_bind()
    found: dict[int, tuple[dict[str, dict[str, str]], int]] = {}
    rows = db.execute(sa.text("SELECT shop_id, field, system, since FROM owners ORDER BY shop_id, field")).all()
    for shop_id, field, system, since in rows:
        fields, at = found.get(shop_id, ({}, since))
        fields[field] = {"owner": system}
        found[shop_id] = (fields, max(at, since))
    policies = sa.table(
        "policies", sa.column("shop_id"), sa.column("version"), sa.column("at"), sa.column("set_by"),
        sa.column("document", sa.JSON()),
    )  # fmt: skip
    nothing = {"box": b"", "creates": False, "full_hours": 24, "agreed_version": 1, "allowed": {}}
    plain = ("shop_id", "name", "kind", "state", "added_at", "added_by", "full_hours", "agreed_version", "changed_at")
    typed = (sa.column("box", sa.LargeBinary()), sa.column("creates", sa.Boolean()), sa.column("allowed", sa.JSON()))
    systems = sa.table("systems", *[sa.column(name) for name in plain], *typed)
    for shop_id, (fields, at) in found.items():
        row = {"shop_id": shop_id, "version": 1, "at": at, "set_by": "shop connect"}
        db.execute(policies.insert().values(**row, document=json.loads(json.dumps({"fields": fields}))))
        told = {"name": "shopify", "kind": "shopify", "state": "active", "added_by": "shop connect"}
        db.execute(systems.insert().values(shop_id=shop_id, added_at=at, changed_at=at, **told, **nothing))
    op.drop_table("owners")


def _widen_customers_and_sides() -> None:
    op.add_column("customers", sa.Column("field_digests", sa.LargeBinary(), nullable=True))
    # Addresses and numbers are read more carefully from now on, so that their tokens are made anew.
    op.execute("UPDATE customers SET index_version = 0")
    for column in (
        sa.Column("remote_version", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=True),
        sa.Column("gone_at", sa.BigInteger(), nullable=True),
        sa.Column("email_token", sa.LargeBinary(), nullable=True),
        sa.Column("phone_token", sa.LargeBinary(), nullable=True),
        sa.Column("index_version", sa.Integer(), nullable=True),
        sa.Column("clean_at", sa.BigInteger(), nullable=True),
        sa.Column("unclean", sa.JSON(), nullable=True),
    ):
        op.add_column("sides", column)
    for name, columns, where in (
        ("ix_sides_email_token", ["shop_id", "email_token"], "email_token IS NOT NULL"),
        ("ix_sides_phone_token", ["shop_id", "phone_token"], "phone_token IS NOT NULL"),
        ("ix_sides_unclean", ["shop_id", "system"], "unclean IS NOT NULL"),
    ):
        _partial(name, "sides", columns, where)


def _widen_log_and_marks() -> None:
    op.add_column("field_log", sa.Column("keep_until", sa.BigInteger(), nullable=True))
    _partial("ix_field_log_kept", "field_log", ["shop_id", "run_id"], "box IS NOT NULL")
    for column in (
        sa.Column("serial", sa.Integer(), server_default="1", nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("tries", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("due_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("set_by", sa.Text(), nullable=True),
        sa.Column("box", sa.LargeBinary(), nullable=True),
    ):
        op.add_column("pending_marks", column)
    for column in (
        sa.Column("direction", sa.Text(), server_default="in", nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
    ):
        op.add_column("parked_values", column)
    _partial("ix_parked_values_open", "parked_values", ["shop_id", "system"], "ended_at IS NULL")


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    """An index of those rows alone for which it is of use."""
    op.create_index(name, table, columns, unique=False, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
