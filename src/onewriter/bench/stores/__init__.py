"""Stores: small simulated shops with one planted fault each, by which a diagnosis is measured.

Written from the catalogue of causes alone; a fault is a mechanism that plays out, and never a painted end.
"""
