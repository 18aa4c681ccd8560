"""Real data and what is drawn from them: sets, anatomy, lesions, the user's own, fetching."""
