"""Questions of translation (survey 2.2.2)."""
