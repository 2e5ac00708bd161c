"""Object storage (OpenStack Object Storage API v1): accounts, containers, objects.

Rows are in the database (`store`), bytes in files of the state folder (`drivers/files.py`). No other service uses it but
over HTTP, as the image service's Swift store does.
"""
