"""What type checkers accept of programs that use phxactor, and what they refuse."""
