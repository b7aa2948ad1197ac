"""Puts the parts together: factory, configuration, command line, who hears which event, demo world."""
