"""sd_notify for our own daemon: tell the service manager that asked for it how we are."""


def notify(*assignments: str) -> bool:
    """Send e.g. "READY=1" to $NOTIFY_SOCKET; False: nobody asked, or it can't be reached. Never raises."""
    raise NotImplementedError


def watchdog_interval() -> float | None:
    """Seconds between two WATCHDOG=1 (half of what the manager allows); None: it doesn't watch this process."""
    raise NotImplementedError
