"""Loss terms that more than one method uses."""
