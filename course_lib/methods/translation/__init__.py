"""Methods of translation between modalities, one paper per file."""
