# The two commands of the README, and one for a larger teacher.
make demo
make test

lmdistill distill mixkd-sst2 --set student.layers=3 --out runs/sst2-3
