"""Methods: `methods/<task>/<paper>.py` holds that paper and nothing else."""
