"""What only methods of augmentation use."""
