"""One file a competition: its name is the file's name, and `COMPETITION` its declaration."""
