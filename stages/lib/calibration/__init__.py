"""What a score means beside those of real validation videos."""
