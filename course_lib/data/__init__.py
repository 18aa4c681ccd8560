"""Real data: the registry, fetching by hash, and loaders of whole volumes."""
