"""`python -m workers_ai`: the command line."""

from workers_ai.cli import main

if __name__ == "__main__":
    main()
