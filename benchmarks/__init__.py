"""What phxactor costs, beside a floor measured in the same run. See README.md in this folder."""
