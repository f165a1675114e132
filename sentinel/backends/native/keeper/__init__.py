"""The keeper: one tiny process per home, the parent of all its native processes. It holds no policy."""
