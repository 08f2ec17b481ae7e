"""Distillation from Python: SST-2, BERT into its first three layers."""

import lmdistill as ld

task = ld.load_task("sst2", data="glue_data")
teacher = ld.finetune("bert-base-uncased", task)
run = ld.distill(teacher, task, student=ld.truncate(teacher, layers=3), method=ld.MixKD(), out="runs/python")
print(run.metrics, run.speedup)
