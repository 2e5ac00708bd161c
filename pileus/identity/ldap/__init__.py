"""Directories (LDAP): domains whose users and groups live elsewhere, read only; rows here mirror them."""
