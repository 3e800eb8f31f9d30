"""Contracts that every detector keeps; a new detector needs no new test file."""
