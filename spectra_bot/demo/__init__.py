"""Workflows that do something real, to try the product with: `--workflows spectra_bot.demo.release`."""
