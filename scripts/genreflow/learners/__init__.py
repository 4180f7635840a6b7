"""What turns images or features into the probabilities of genres."""
