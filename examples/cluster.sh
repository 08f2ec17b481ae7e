# Once: the teacher is fine-tuned into runs/teachers, where recipes with --out runs/... find it.
lmdistill finetune mixkd-sst2 --out runs/teachers

# Four processes of one machine; the batch size is that of all processes together.
accelerate launch --num_processes 4 -m lmdistill distill mixkd-sst2 --set training.precision=bf16 --out runs/sst2-4
