"""What peers do that live in an environment of their own. Nothing here imports Findspot.

Their libraries are not installed where Findspot is, so they are imported by name.
"""
