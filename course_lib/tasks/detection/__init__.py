"""Questions of detection (survey 4.2)."""
