"""The notebook's face: the magic, its grammar and commands, completion, progress and error texts."""
