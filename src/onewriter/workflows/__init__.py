"""The durable jobs and the loops of a worker, a few lines each; the work itself is in the folders below."""
