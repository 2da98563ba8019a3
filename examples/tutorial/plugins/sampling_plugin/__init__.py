"""Draws random samples and changes them step by step."""
