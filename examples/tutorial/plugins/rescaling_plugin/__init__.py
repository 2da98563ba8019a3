"""Rescales an array in several ways, and draws the results side by side."""
