"""Registration (survey section 3.1): one file per method."""
