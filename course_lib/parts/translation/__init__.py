"""What only translation uses."""
