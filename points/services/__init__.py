"""What other rooms may ask of wallets, one noun a module."""
