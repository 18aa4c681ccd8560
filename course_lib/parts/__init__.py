"""What methods of several sections are made of; `parts/<section>/`: what those of one are."""
