"""Questions of denoising (survey 2.1.1)."""
