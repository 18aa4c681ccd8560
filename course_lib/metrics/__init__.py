"""Scores per case, each with its unit, its direction and its policy for the undefined."""
