"""Questions, a folder for each section: what a case holds, how it is made, how it is scored."""
