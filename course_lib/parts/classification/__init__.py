"""What only classification uses."""
