"""Photographs of people, which pseudo-fakes are made of; they are never embedded, paired or scored."""
