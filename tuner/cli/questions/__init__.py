"""What commands print that answer one question each."""
