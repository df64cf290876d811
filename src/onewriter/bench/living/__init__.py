"""Living shops: small shops that the real engine keeps in step with a CRM, each with one fault that is known.

Real cycles against a real database, our own ledger of writes, and beside them what only the CRM and the shop know of
who wrote: nothing of an end state is painted by hand.
"""
