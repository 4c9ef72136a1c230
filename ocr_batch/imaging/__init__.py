"""A file becomes clean grey pages."""
