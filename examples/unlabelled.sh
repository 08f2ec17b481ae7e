lmdistill distill examples/unlabelled.yaml --out runs/unlabelled

lmdistill predict runs/unlabelled/KD-seed0 examples/reviews.csv --out runs/teacher-answers.csv
lmdistill distill examples/answers.yaml --out runs/answered
lmdistill distill transfer --set task=own --set data.source=examples/reviews.csv --set data.text=review \
  --set data.label=opinion --set data.fraction=1 --set data.rows=12 --set data.augmentation=null \
  --set teacher.model=packaged:all-MiniLM-L6-v2 --set training.min_steps=20 --out runs/transfer

python examples/python_answers.py
