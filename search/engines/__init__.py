"""Engines that hold the index, behind one interface."""
