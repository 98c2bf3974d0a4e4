"""The wheel and the source distribution, in clean environments."""
