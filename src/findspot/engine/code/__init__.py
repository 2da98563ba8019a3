"""The code that tasks are: where it comes from, what it uses, and the fingerprint of all that."""
