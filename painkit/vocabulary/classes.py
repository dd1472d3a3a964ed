"""Names of classes, in the order of their numbers."""

from __future__ import annotations

from typing import Final

__all__ = ["EMOTIONS", "EXPRESSIONS", "STIMULI", "VOTES"]

#: Emotions of FER+ (Barsoum et al. 2016).
EMOTIONS: Final = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
#: What a rater of FER+ can vote for; the last two are no emotions ("NF": no face).
VOTES: Final = (*EMOTIONS, "unknown", "NF")
#: Stimuli of BioVid part A (Walter et al. 2013): baseline, then heat pain from weak to strong.
STIMULI: Final = ("BL1", "PA1", "PA2", "PA3", "PA4")
#: Expressions that Weitz et al. (2018) tell apart.
EXPRESSIONS: Final = ("pain", "disgust", "happiness")
