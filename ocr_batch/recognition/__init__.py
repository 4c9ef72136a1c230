"""Candidates become text."""
