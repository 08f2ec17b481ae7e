"""Distil a classifier with several labels a text, from Python."""

import lmdistill as ld

task = ld.load_task("own", "examples/comments.jsonl", text="comment", label="topics")
teacher = ld.finetune("packaged:all-MiniLM-L6-v2", task, training=ld.Training(epochs=1, batch_size=8))
run = ld.distill(
    teacher,
    task,
    student=ld.truncate(teacher, layers=1),
    method=ld.KD(),
    training=ld.Training(epochs=1, batch_size=8),
    threshold="dev",
    out="runs/comments-python",
)
print(run.metrics, run.student.thresholds)
