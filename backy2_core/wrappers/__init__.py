"""Data backends around a data backend: each adds one habit and passes everything else on."""
