"""Compute (OpenStack Compute API v2.1): flavors, key pairs, servers, and the hosts they run on."""
