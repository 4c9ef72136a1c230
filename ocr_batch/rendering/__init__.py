"""Render pages of text as scans would show them, with the truth for every character."""
