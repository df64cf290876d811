"""The causes: each one small function of what a group of rows has in common."""
