"""What a few labels teach: a linear head on image embeddings, joined with the text as the labels show it deserves."""

from clipgrip.fewshot.head import Head, HeadSettings, fit_head
from clipgrip.fewshot.joint import Joint, JointWeights, fit_joint
from clipgrip.fewshot.teacher import Teacher

__all__ = ["Head", "HeadSettings", "Joint", "JointWeights", "Teacher", "fit_head", "fit_joint"]
