"""Findspot."""
