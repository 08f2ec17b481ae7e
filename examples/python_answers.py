"""A student learns from labelled texts, from texts without labels, and from a file of answers to them."""

import lmdistill as ld

whole = ld.load_task("own", data="examples/reviews.csv", text="review", label="opinion")
task = ld.add_unlabelled(ld.subset(whole, 12), whole)  # or files of texts
answers = ld.load_answers("runs/teacher-answers.csv", task)
student = ld.load("packaged:all-MiniLM-L6-v2", labels=task.spec.labels)
run = ld.distill(
    answers, task, student=student, method=ld.KD(), labelled_per_batch=4, out="runs/python-answers"
)
print(run.metrics, *task.notes, sep="\n")
