"""The API for programs, at /api/v1: a module an area, each a router, thin between the desk and JSON."""
