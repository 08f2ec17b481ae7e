lmdistill study examples/study.yaml --list
lmdistill study examples/study.yaml --set seeds=[0] --set jobs=2
lmdistill report runs/depths --files runs/depths/files

# All rows, and more of them at once.
lmdistill study examples/study.yaml --set scale=whole --set jobs=auto --out runs/depths-whole
