"""Loyalty: the programme of a shop, and the ledger of what its customers earned and used."""
