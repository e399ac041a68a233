"""The report a board decides on: one page to print and one sheet to reckon with."""
