"""What a checked configuration asks for, given the tracks that are listed.

Pure: nothing is read or written, and no library that computes is needed.
"""
