"""Methods: `methods/<section>/<paper>.py` holds that paper and nothing else."""
