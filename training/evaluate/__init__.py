"""What nano is measured by. `python -m training.evaluate` runs it; `training.judge` is how it listens.

material.py   renders with the truth about them, and the prompts that are asked
playing.py    takes: prompts, and changes of them, played by the product's own streams
live.py       what `streamer render` plays
figures.py    combs, tones, attacks, levels: what a spectrogram tells
opus.py       the codec that everyone has, for comparison
measures.py   one function a part of the report (training/card.py writes it to the model card)
pictures.py   twelve prompts as spectrograms
page.py       pictures and samples for docs/sound.md
"""
