"""Runs a job whose place is a branch of a Hub: src/backends/hub-workspace.ts tells the protocol."""
