"""Ways to ask a person; each uses only what `spectra_bot` exports."""
