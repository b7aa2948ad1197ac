"""From what was typed to what is meant: small pure steps, each of which can be shown."""
