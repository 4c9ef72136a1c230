"""Batch OCR: a folder of scanned pages in, text and CSV per page out."""
