"""Augmentation: new training pictures, and what they are good for."""
