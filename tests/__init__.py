"""The tests of phxactor, in the folders of what they test."""
