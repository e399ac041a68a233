"""From files to rows: what lies there is read, hashed and bound to labels; a `Manifest` and its issues."""
