"""Pseudo-fakes made of real faces (section 3.1)."""
