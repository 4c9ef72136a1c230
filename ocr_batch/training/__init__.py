"""Data becomes a model."""
