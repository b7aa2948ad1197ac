"""What other rooms may ask of enterprises, one noun a module."""
