"""Questions of segmentation (survey 3.2)."""
