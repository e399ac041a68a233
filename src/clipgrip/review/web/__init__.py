"""The review as a web page on this machine: server-rendered, no request leaves it."""
