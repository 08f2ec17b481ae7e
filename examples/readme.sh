# The two commands of the README.
make demo
lmdistill distill mixkd-sst2 --set student.layers=3 --out runs/sst2-3
