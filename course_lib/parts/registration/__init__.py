"""What only registration uses."""
