"""What only segmentation uses."""
