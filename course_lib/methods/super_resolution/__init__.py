"""Super-resolution (survey section 2.1.2): one paper per file."""
