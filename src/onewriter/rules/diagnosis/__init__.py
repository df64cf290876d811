"""From a difference to its cause: what two systems hold is compared, related, grouped and explained.

The rules know no platform (requirement M70). They read the evidence of `evidence`, whoever gathered it, out of the
database or of a folder of files, and say which of it they had.
"""
