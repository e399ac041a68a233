"""How far an answer may be trusted."""
