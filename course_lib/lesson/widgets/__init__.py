"""Things to move. Each is a picture too where nothing can be moved (web page, PDF, tests)."""
