"""Methods that find objects, or growth over time."""
