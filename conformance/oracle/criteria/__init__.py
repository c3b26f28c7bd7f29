"""Slow, obvious references of whole criteria, over exact numbers, and the scenes that they are asked."""
