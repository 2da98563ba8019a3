"""`python -m findspot` is the `findspot` command."""

from findspot.cli import main

main()
