"""``python -m app.cli`` is ``mall``."""

from app.cli import main

main()
