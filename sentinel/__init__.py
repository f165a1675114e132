"""Sentinel keeps servers and workers running, by itself or through systemd."""

__version__ = "1.0.0"
