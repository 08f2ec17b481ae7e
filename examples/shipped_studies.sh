# MixKD's Table 1 on two cores, and as published.
lmdistill study mixkd-table1 --list
lmdistill study mixkd-table1 --set scale=paper --out runs/mixkd-table1-paper --list
lmdistill study mixkd-table2 --set jobs=2
lmdistill measure runs/mixkd-table2/layers=2-seed0 runs/mixkd-table2/layers=3-seed0

# The zip for a row of Table 3.
lmdistill study mixkd-table3
lmdistill submit runs/mixkd-table3/*-layers=3-SM+TMKD-seed0 \
  --data ../shared/data/glue_raw --fill --out runs/layers=3-SM+TMKD.zip
