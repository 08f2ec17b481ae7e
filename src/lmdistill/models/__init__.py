"""Networks on top of Hugging Face models: loading, adapters, pruning and initialisation of students.

Importing this package registers our model classes with transformers, so that models saved with them load
without `trust_remote_code`.
"""

from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from lmdistill.models.modeling_enc_t5 import EncT5Config, EncT5ForSequenceClassification
from lmdistill.models.modeling_narrow import CLASSIFIERS, WRITERS

_ENC_T5 = (EncT5Config, EncT5ForSequenceClassification)

for _auto, _classes in (
    (AutoModelForSequenceClassification, (*CLASSIFIERS.values(), _ENC_T5)),
    (AutoModelForCausalLM, WRITERS.values()),
):
    for _config, _model in _classes:
        AutoConfig.register(_config.model_type, _config)
        _auto.register(_config, _model)
