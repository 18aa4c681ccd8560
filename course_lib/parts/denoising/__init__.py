"""What only methods of denoising use."""
