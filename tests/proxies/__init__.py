"""Real proxies in front of an endpoint, with the configurations of docs/deploying.md."""
