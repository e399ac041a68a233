"""The command line ``clipgrip``: a small module per command, imported when it is called; `tree` lists them."""
