"""Random programs over three nodes, played by three real Elixir nodes and by three simulated ones."""
