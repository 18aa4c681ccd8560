"""Questions of the frontier (survey 5)."""
