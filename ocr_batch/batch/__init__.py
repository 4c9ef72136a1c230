"""A folder becomes results."""
