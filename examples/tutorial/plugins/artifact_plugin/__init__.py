"""Saves arrays and figures as files, and loads them again."""
