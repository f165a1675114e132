"""What the tests of the native engine share."""

from keeperlab import keep, mode

__all__ = ["keep", "mode"]
