"""What every system needs and none owns; knows no system, and of `penstock` the public names."""
