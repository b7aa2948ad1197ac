"""What the cashier does, one noun a module."""
