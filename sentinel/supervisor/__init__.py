"""The use cases, by noun, over a state store and a backend."""
