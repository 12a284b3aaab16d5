"""Histories of runs that each released version left in Temporal, and whether today's code carries them on."""
