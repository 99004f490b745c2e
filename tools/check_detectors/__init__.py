"""Detectors as other programs write them, and the judge of what dfrt reads in them."""
