"""Decisions: data in, data out. No clock, no disk, no network, no database."""
