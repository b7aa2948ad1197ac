"""Enterprises: companies, employees, programmes, budgets, grants, credit line."""
