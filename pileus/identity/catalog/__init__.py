"""The service catalog: regions, services and endpoints, which project sees which, and policies kept for endpoints."""
