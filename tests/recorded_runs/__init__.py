"""Run folders that earlier versions wrote, and what the present one does with them."""
