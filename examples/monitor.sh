# Texts of a certified student in use, with dates and the judge's answers, beside those of its certificate.
lmdistill monitor runs/exported examples/audit.csv --out runs/audit.html --json runs/audit.json
