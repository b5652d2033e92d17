"""The seed: where `tiny` starts from. A checkpoint that ships, and the procedures and the script that make it again.

It has practised string work on texts of chance and knows nothing of any task, language or fact; what it brings is
attention that can already copy, align and choose. The idea is that of LIME (Wu et al. 2021, arXiv 2101.06223), which
pre-trains on synthetic primitives before a task that is short of data.

    python -m engine.training.seed --out FOLDER     # makes it again
"""
