"""onewriter keeps a Shopify shop's customers in step, with one writer per field."""

__version__ = "0.1.0"
