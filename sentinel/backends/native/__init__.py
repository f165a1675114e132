"""The native engine: the keeper forks, the daemon restarts."""
