"""Shopify, and nothing else knows it: its queries, its payload shapes, its limits, its signatures and its words."""
