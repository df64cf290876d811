"""How changes get in: the door, the inbox, the importer and the refetcher, all through `apply`."""
