"""Which notebooks there are, and whose runs an explorer reads."""

from painkit.cli.notebooks import notebook_folder

NOTEBOOKS = sorted(path.stem for path in notebook_folder().glob("*.ipynb"))
# Explorers read the runs of a paper's notebook, as they do by default.
OF_PAPER = {"explore_landmarks": "01_deepfacelift", "explore_pixels": "04_lrp_emotions"}
