"""The paper's grid on one data set: prompts x paradigms x strategies x presets x seeds, resumable."""
