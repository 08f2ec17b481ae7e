lmdistill distill minidisc-mrpc --set student.keep=0.1 --out runs/minidisc
