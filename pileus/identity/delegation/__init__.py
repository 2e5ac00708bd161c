"""Acting for a user without its password: application credentials, trusts, EC2 and S3 keys, OAuth 1.0."""
