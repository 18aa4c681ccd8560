"""Questions of classification (survey 4.1)."""
