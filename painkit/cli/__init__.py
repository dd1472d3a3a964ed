"""The painkit command."""
