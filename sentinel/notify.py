"""sd_notify for our own daemon: tell the service manager that asked for it how we are."""

import os
import socket


def notify(*assignments: str) -> bool:
    """Send e.g. "READY=1" to $NOTIFY_SOCKET; False: nobody asked, or it can't be reached. Never raises."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    name = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)  # a manager that doesn't read must not stop us
            sender.sendto("\n".join(assignments).encode(), os.fsencode(name))
    except (OSError, ValueError):
        return False
    return True


def watchdog_interval() -> float | None:
    """Seconds between two WATCHDOG=1 (half of what the manager allows); None: it doesn't watch us."""
    try:
        allowed = int(os.environ["WATCHDOG_USEC"])
        watched = int(os.environ.get("WATCHDOG_PID", os.getpid()))
    except (KeyError, ValueError):
        return None
    return allowed / 2_000_000 if allowed > 0 and watched == os.getpid() else None
