"""A page becomes files, one writer a format."""
