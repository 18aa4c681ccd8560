"""Tasks: what a case holds, how it is made, how it is scored. One file per task."""
