"""The user's own files, a row at a time: labelled rows, bare inputs, documents."""
