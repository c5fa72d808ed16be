"""The HTTP interface terminals call, over mutual TLS."""
