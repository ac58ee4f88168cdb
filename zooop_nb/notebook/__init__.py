"""The faces in a notebook: the grammar of the magic, the magic, completion, progress, wording."""
