"""What keeps the repository in order: checks, pages made from the code, the site, pictures."""
