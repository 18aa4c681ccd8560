"""Methods of classification (survey section 4.1)."""
