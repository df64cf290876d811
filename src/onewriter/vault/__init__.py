"""Protected data: seal, open, blind index, and the customers' keys in a store of their own."""
