"""Text and truth become numbers."""
