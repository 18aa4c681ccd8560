"""The real data sets, one loader a file: `load()` gives the volumes."""
