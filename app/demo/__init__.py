"""The seeded demo world: its catalogue, its pictures, its people."""
