"""TAB on a `%zooop` line. Nothing here is imported before the first TAB."""
