"""Jobs, their records, sweeps, statistics and the report."""
