"""Logging in: what a request proves by which method, what passwords must be like, and how often one may fail."""
