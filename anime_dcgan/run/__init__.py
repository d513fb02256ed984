"""Reading and describing run folders."""
