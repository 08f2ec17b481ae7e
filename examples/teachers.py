"""Two fine-tunings of one model teach together."""

import lmdistill as ld

task = ld.load_task("own", data="examples/reviews.csv", text="review", label="opinion")
members = [
    ld.finetune("bert-base-uncased", task, training=ld.Training(epochs=1, seed=seed)) for seed in (0, 1)
]
run = ld.distill(
    ld.Ensemble(members), task, student=ld.truncate(members[0], layers=2), method=ld.KD(), out="runs/members"
)
print(run.metrics, run.record.teaching.disagreement["dev"].divided)
