"""Network parts and conversions that more than one method uses."""
