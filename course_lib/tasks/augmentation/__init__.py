"""Questions of augmentation (survey 2.2.1)."""
