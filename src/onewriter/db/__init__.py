"""The only folder that knows a database of ours: engine, tables, migrations, and the register of personal data."""
