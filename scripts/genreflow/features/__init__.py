"""What turns clips into numbers: images, features by hand and of networks, and their files."""
