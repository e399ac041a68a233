"""How far a model may be trusted at the line: bets on new images, and on promises that are kept."""
