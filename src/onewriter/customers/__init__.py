"""What we know: customers, sides, owners, the field log, marks, runs and questions. One module a table or two."""
