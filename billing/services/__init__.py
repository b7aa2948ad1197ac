"""What other rooms may ask of billing, one noun a module."""
