"""What clients send and see: one module a resource."""
