"""A page becomes ordered lines."""
