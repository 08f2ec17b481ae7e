"""Distillation of a language model from Python: a folder of yours into its first two layers."""

import lmdistill as ld

texts = ld.load_texts("stories.jsonl")
teacher = ld.load_causal("teacher-7b")
run = ld.distill(teacher, texts, student=ld.truncate(teacher, layers=2), method=ld.ATKD(), out="runs/writer")
print(run.metrics, run.speedup)
print(*ld.complete_texts(run.student, ["Once upon a time"], max_new=40))
