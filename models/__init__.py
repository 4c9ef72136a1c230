"""Shipped model bundles, one folder each."""
