# One trial, every assistant in turn, and none: the same teacher, student, data and steps.
lmdistill distill examples/schedules.yaml --out runs/schedules-10/minidisc
lmdistill distill examples/schedules.yaml --set schedule.name=maxidisc \
  --set 'methods={MaxiDisc: {name: hidden_kd}}' --out runs/schedules-10/maxidisc
lmdistill distill examples/schedules.yaml --set 'schedule={name: direct}' \
  --set 'methods={direct: {name: hidden_kd}}' --out runs/schedules-10/direct
lmdistill report runs/schedules-10 --out runs/schedules.html

# A student twice as large.
lmdistill distill examples/schedules.yaml --set student.keep=0.2 --out runs/schedules-20/minidisc
lmdistill distill examples/schedules.yaml --set student.keep=0.2 --set 'schedule={name: direct}' \
  --set 'methods={direct: {name: hidden_kd}}' --out runs/schedules-20/direct

# MixKD in both stages instead of the published loss.
lmdistill distill examples/schedules.yaml --set 'methods={MiniDisc+MixKD: {name: mixkd}}' --out runs/schedules-10/mixkd

# A decoder to half its width.
lmdistill distill examples/stories-half.yaml --out runs/stories-half/minidisc
lmdistill distill examples/stories-half.yaml --set 'schedule={name: direct}' \
  --set 'methods={direct: {name: token_kd}}' --out runs/stories-half/direct

# Direct distillation for as many teacher-steps as MiniDisc takes.
lmdistill distill examples/schedules.yaml --set training.epochs=9 --set 'schedule={name: direct}' \
  --set 'methods={"direct, 9 epochs": {name: hidden_kd}}' --out runs/schedules-10/direct9
lmdistill distill examples/stories-half.yaml --set training.epochs=11 --set 'schedule={name: direct}' \
  --set 'methods={"direct, 11 epochs": {name: token_kd}}' --out runs/stories-half/direct11
