"""Private instances of the servers that the full stack runs on; needs only Python's own library."""
