"""What all pages share: one HTML file that holds all it needs, and opens offline."""
