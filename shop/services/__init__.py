"""What other rooms may ask of the catalogue, one noun a module."""
