"""How other systems are read and written: the interface, a file or a few a kind, and the suite that each must pass."""
