"""The verbs of the network: plain arguments in, rows out. A module for each family of resources."""
