"""Methods of the denoising task, one paper per file."""
