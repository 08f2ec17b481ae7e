# A method of your own beside those of the demo, without a change to the package.
lmdistill distill demo --set methods.Gap.name=examples/new_method.py:Gap --set methods.Gap.weight=0.2 --allow-code --out runs/gap
