"""What was read and its truth are laid side by side."""
