"""The service at the line: images in by REST, answers kept before they are given, people's answers, versions."""
