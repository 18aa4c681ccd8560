"""Questions of super-resolution (survey 2.1.2)."""
