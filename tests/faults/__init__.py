"""The weaknesses of the original, each tried here: test_fault_NN carries the number it has in the list of them."""
