"""What data sets of images share: where their files are, how they are split, and how a folder of them is decoded."""
