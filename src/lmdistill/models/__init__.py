"""The only place that knows Hugging Face classes.

Importing it tells transformers of the narrow ones, so that their folders load without remote code.
"""

from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification

from lmdistill.models.modeling_narrow import CLASSIFIERS, WRITERS

for _auto, _classes in ((AutoModelForSequenceClassification, CLASSIFIERS), (AutoModelForCausalLM, WRITERS)):
    for _config, _model in _classes.values():
        AutoConfig.register(_config.model_type, _config)
        _auto.register(_config, _model)
