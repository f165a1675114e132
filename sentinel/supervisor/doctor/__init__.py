"""What usually breaks on a machine, looked at without changing anything."""
