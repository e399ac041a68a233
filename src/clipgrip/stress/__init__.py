"""How much wrong pseudolabels cost: noise is planted, and each rule of selection has to live with it."""
