"""The command line: parses arguments, calls the supervisor, prints. No logic."""
