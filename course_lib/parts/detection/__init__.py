"""What only detection uses."""
