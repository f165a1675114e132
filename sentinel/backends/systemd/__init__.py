"""The systemd engine: processes are transient units, groups are slices, logs the journal."""
