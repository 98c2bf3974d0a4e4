"""Random programs over three nodes, with what the BEAM was seen to do: played on three simulated nodes."""
