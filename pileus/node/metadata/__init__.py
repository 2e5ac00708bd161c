"""What a guest learns about itself: `tree` makes documents, `service` answers with them, `namespace` is where."""
