"""From words to a result: choose a model, fill its params, quote, confirm, submit, follow, keep."""
