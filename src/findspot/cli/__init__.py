"""The `findspot` command: each sub-command is one call of the Python API, and some printing."""
