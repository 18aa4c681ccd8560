"""What only the frontier's methods use."""
