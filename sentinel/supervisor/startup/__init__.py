"""Start at boot or login: one entry in the init system that brings back everything that is wanted."""
