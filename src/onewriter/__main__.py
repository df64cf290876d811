"""`python -m onewriter` is the command `onewriter`."""

from onewriter.cli import main

main()
