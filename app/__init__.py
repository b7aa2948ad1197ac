"""Puts the parts together: factory, command line, who hears which event, demo world."""
