"""What only super-resolution uses."""
