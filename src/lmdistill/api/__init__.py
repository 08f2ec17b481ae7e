"""The public Python functions: `distill`, `finetune`, `load_texts`."""
