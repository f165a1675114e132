"""Permanent files for other supervisors: what is run stays the same, what they cannot do is named."""
