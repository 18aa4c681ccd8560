"""The exercises of all lessons; one file per lesson, each with its `EXERCISES`."""
