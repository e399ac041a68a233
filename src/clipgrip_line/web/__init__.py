"""What every page of a plant needs, whoever serves it: whose address, which headers, which connections."""
