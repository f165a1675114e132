"""What sentinel promises its users, on every backend."""
