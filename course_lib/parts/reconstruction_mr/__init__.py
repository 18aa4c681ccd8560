"""What only MR reconstruction uses."""
