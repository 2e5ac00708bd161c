"""Wire shapes of the Networking API, declared: a module for each family of resources."""
