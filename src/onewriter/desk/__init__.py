"""What people and programs ask for and are told, whichever face they came by: the command line, the API or a page.

A module an area. What it gives are documents: plain values for JSON, times as ISO 8601 in UTC, protected values masked
unless they were revealed. What it does are acts: each asks for the role first, writes the access log before anything is
shown or destroyed, and is one transaction.
"""
