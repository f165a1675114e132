"""`sentinel selftest`: the promises, checked on this machine through the command line, as a user would."""
