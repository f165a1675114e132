"""sentinel's daemon: an event loop around `reconcile`, health checks, memory limits and log rotation."""
