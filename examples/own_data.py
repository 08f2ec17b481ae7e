"""Your own file as a task; what is inferred is said and kept in `notes`."""

import lmdistill as ld

task = ld.load_task("own", data="examples/reviews.csv", text="review", label="opinion", dev=0.2)
print(task.spec.labels)
print(*task.notes, sep="\n")
