"""Questions of MR reconstruction (survey 2.1.3)."""
