"""Who has which role where: roles, what they imply, and the assignments of them."""
