"""The frontier (survey section 5): explanations, other scanners, few labels; one paper per file."""
