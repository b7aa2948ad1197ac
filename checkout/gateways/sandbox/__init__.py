"""A card gateway shaped like Stripe, for demo and tests: a process and a file of its own.

It imports nothing of the shop but ``kernel``; the shop speaks to it over HTTP, as it would to
Stripe. The test cards are in ``cards``, the states in ``states``, the faults in ``faults``.
"""
