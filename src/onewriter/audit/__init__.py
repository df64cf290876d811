"""Disagreements: what Shopify has is compared with what we hold, and what differs is reported with a reason.

The diagnosis must not trust the path that it diagnoses: nothing here imports `intake`, and nothing here changes a side
or a customer. Healing is done by a function that a workflow hands in.
"""
