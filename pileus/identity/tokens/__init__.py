"""Tokens and receipts: how they are written and read, the keys they are made with, and what voids them early."""
