"""The widget in a real browser, against a gateway that does as it is told."""
