"""Sockets, fan-out and HTTP. Imports chat and presence."""
