# Once: the teacher is fine-tuned into runs/teachers. Then four processes of one machine.
lmdistill finetune mixkd-sst2 --out runs/teachers
accelerate launch --num_processes 4 -m lmdistill distill mixkd-sst2 --set training.precision=bf16 --out runs/sst2-4

# Two processes on a machine without an accelerator.
accelerate launch --multi_gpu --num_processes 2 -m lmdistill distill mixkd-sst2 --out runs/sst2-2

# On a machine without a network.
lmdistill distill mixkd-sst2 --set data.source=glue_data --set teacher.model=models/bert --out runs/sst2-offline
