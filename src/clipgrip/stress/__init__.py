"""How much wrong pseudolabels cost: noise is planted, and each rule of selection and each loss has to live with it."""
