# Labels with probabilities from a model behind a server; the reviews' own labels serve as human ones.
lmdistill label examples/reviews.csv --teacher http://localhost:8000/v1 --model Qwen/Qwen3-8B \
  --labels bad,good --text review --out runs/answers.jsonl --dry-run --price-in 0.15 --price-out 0.60

lmdistill label examples/reviews.csv --teacher http://localhost:8000/v1 --model Qwen/Qwen3-8B \
  --labels bad,good --text review --out runs/answers.jsonl --price-in 0.15 --price-out 0.60 --budget 0.50 \
  --audit examples/reviews.csv --audit-label opinion

lmdistill label examples/reviews.csv --text review --choose 10 --student runs/reviews/MixKD-seed0 \
  --out runs/worth-asking.jsonl

lmdistill label runs/worth-asking.jsonl --teacher http://localhost:8000/v1 --model Qwen/Qwen3-8B \
  --labels bad,good --text review --prompt examples/label_prompt.txt --out runs/few-answers.jsonl
