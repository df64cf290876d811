"""Measurements, the simulation, and the throwaway PostgreSQL server that they share with the tests."""
