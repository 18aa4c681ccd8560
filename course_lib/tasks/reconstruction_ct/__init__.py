"""Questions of CT reconstruction (survey 2.1.3)."""
