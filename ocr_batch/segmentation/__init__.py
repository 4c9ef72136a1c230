"""A line becomes candidate characters and their 56x56 crops."""
