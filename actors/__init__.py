"""Who does what: one actor a file, pure rules beside them in `actors/rules/`."""
