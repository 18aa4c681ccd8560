"""Questions of registration (survey 3.1)."""
