"""Audio: which files are some, the one way from a file to samples, and which clips can be used."""
