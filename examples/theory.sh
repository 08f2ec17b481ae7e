# Symbols alone: a class of 100 parameters with 8 bits each.
lmdistill theory --parameters 100 --bits 8 --original 1000 --augmented 4000 --shift 0.02

# How many mixed samples bring the gap to 0.3?
lmdistill theory --log-class 500 --original 1000 --shift 0.02 --target-gap 0.3

# A finished run, with the 0/1 loss.
lmdistill distill demo --out runs/demo
lmdistill theory runs/demo/MixKD-seed0

# The same run with cross-entropy, clipped at 2 nats, and another measure of the class.
lmdistill theory runs/demo/MixKD-seed0 --bound 2 --rademacher 0.05
