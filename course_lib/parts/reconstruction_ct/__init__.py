"""What only CT reconstruction uses."""
