"""Churn of every kind, for minutes, at a server whose memory must not grow."""
