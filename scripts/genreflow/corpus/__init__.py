"""Corpora: reading their tracks, listing and splitting them, downloading and making them."""
