/** `transformers.models.auto` as Python: which class a configuration stands for, looked up in the library's own tables. */

/** Class and its table in `modeling_auto.py`. */
const autoClasses: readonly (readonly [string, string])[] = [
  ['AutoModel', 'MODEL_MAPPING_NAMES'],
  ['AutoModelForPreTraining', 'MODEL_FOR_PRETRAINING_MAPPING_NAMES'],
  ['AutoModelForCausalLM', 'MODEL_FOR_CAUSAL_LM_MAPPING_NAMES'],
  ['AutoModelForMaskedLM', 'MODEL_FOR_MASKED_LM_MAPPING_NAMES'],
  ['AutoModelForSeq2SeqLM', 'MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES'],
  ['AutoModelForSequenceClassification', 'MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES'],
  ['AutoModelForQuestionAnswering', 'MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES'],
  ['AutoModelForTokenClassification', 'MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES'],
  ['AutoModelForMultipleChoice', 'MODEL_FOR_MULTIPLE_CHOICE_MAPPING_NAMES'],
  ['AutoModelForImageClassification', 'MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES'],
  ['AutoModelForImageTextToText', 'MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES'],
  ['AutoModelForMultimodalLM', 'MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES'],
  ['AutoModelForKeypointDetection', 'MODEL_FOR_KEYPOINT_DETECTION_MAPPING_NAMES'],
  ['AutoModelForKeypointMatching', 'MODEL_FOR_KEYPOINT_MATCHING_MAPPING_NAMES'],
  ['AutoModelForTextEncoding', 'MODEL_FOR_TEXT_ENCODING_MAPPING_NAMES'],
  ['AutoModelForObjectDetection', 'MODEL_FOR_OBJECT_DETECTION_MAPPING_NAMES'],
  ['AutoModelForDepthEstimation', 'MODEL_FOR_DEPTH_ESTIMATION_MAPPING_NAMES'],
  ['AutoModelForAudioClassification', 'MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES'],
  ['AutoModelForCTC', 'MODEL_FOR_CTC_MAPPING_NAMES'],
  ['AutoModelForSpeechSeq2Seq', 'MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES'],
  ['AutoModelForTextToWaveform', 'MODEL_FOR_TEXT_TO_WAVEFORM_MAPPING_NAMES'],
  ['AutoModelForTextRecognition', 'MODEL_FOR_TEXT_RECOGNITION_MAPPING_NAMES'],
  ['AutoModelForAudioTokenization', 'MODEL_FOR_AUDIO_TOKENIZATION_NAMES'],
  ['AutoModelForUniversalSegmentation', 'MODEL_FOR_UNIVERSAL_SEGMENTATION_MAPPING_NAMES'],
  ['AutoModelForMaskGeneration', 'MODEL_FOR_MASK_GENERATION_MAPPING_NAMES'],
  ['AutoBackbone', 'MODEL_FOR_BACKBONE_MAPPING_NAMES'],
];

const classNames = autoClasses.map(([name]) => name).join(', ');

export const autoPrelude: ReadonlyMap<string, string> = new Map([
  [
    'transformers.models.auto',
    `
from transformers.models.auto.configuration_auto import AutoConfig, CONFIG_MAPPING, CONFIG_MAPPING_NAMES
from transformers.models.auto.modeling_auto import ${classNames}
`,
  ],
  [
    'transformers.models.auto.configuration_auto',
    `
import _headwise
from transformers.models.auto.auto_mappings import CONFIG_MAPPING_NAMES as _names
from transformers.models.auto.auto_mappings import SPECIAL_MODEL_TYPE_TO_MODULE_NAME as _modules

# What the library adds to its generated tables.
CONFIG_MAPPING_NAMES = {
    **_names,
    "EvollaModel": "EvollaConfig",
    "mlcd": "MLCDVisionConfig",
    "parakeet_tdt": "ParakeetTDTConfig",
    "vibevoice_acoustic_tokenizer_decoder": "VibeVoiceAcousticTokenizerDecoderConfig",
    "vibevoice_acoustic_tokenizer_encoder": "VibeVoiceAcousticTokenizerEncoderConfig",
    "gpt-sw3": "GPT2Config",
}
SPECIAL_MODEL_TYPE_TO_MODULE_NAME = {
    **_modules,
    "EvollaModel": "evolla",
    "parakeet_tdt": "parakeet",
    "vibevoice_acoustic_tokenizer_encoder": "vibevoice_acoustic_tokenizer",
    "vibevoice_acoustic_tokenizer_decoder": "vibevoice_acoustic_tokenizer",
}


def model_type_to_module_name(key):
    if key in SPECIAL_MODEL_TYPE_TO_MODULE_NAME:
        return SPECIAL_MODEL_TYPE_TO_MODULE_NAME[key]
    return key.replace("-", "_")


class _ConfigMapping:
    def __getitem__(self, key):
        return _headwise.load_from("transformers.models." + model_type_to_module_name(key), "configuration", CONFIG_MAPPING_NAMES[key])

    def __contains__(self, key):
        return key in CONFIG_MAPPING_NAMES

    def get(self, key, default=None):
        return self[key] if key in CONFIG_MAPPING_NAMES else default

    def keys(self):
        return CONFIG_MAPPING_NAMES.keys()


CONFIG_MAPPING = _ConfigMapping()


class AutoConfig:
    @classmethod
    def for_model(cls, model_type, *args, **kwargs):
        return CONFIG_MAPPING[model_type](*args, **kwargs)

    @classmethod
    def from_dict(cls, config_dict, **kwargs):
        return CONFIG_MAPPING[config_dict["model_type"]](**config_dict)

    @classmethod
    def from_pretrained(cls, name, **kwargs):
        return _headwise.unknown("a configuration that is not at hand")

    @classmethod
    def register(cls, *args, **kwargs):
        pass
`,
  ],
  [
    'transformers.models.auto.modeling_auto',
    `
import _headwise
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES, model_type_to_module_name

_TABLE = "transformers.models.auto.modeling_auto."


class _AutoModel:
    _table = ""

    @classmethod
    def _class_for(cls, config):
        table = _headwise.load(_TABLE + cls._table)
        model_type = type(config).model_type
        if model_type not in table:
            model_type = _headwise.model_type_named(type(config).__name__, CONFIG_MAPPING_NAMES, table, model_type)
        found = table[model_type]
        if isinstance(found, (list, tuple)):
            choice = found[0]
            for each in getattr(config, "architectures", None) or []:
                if each in found:
                    choice = each
            found = choice
        return _headwise.load_from("transformers.models." + model_type_to_module_name(model_type), "modeling", found)

    @classmethod
    def from_config(cls, config, **kwargs):
        kwargs.pop("trust_remote_code", None)
        model_class = cls._class_for(config)
        text_config_class = config.sub_configs.get("text_config", None)
        if text_config_class is not None and _headwise.config_class_of(model_class) is text_config_class:
            config = config.get_text_config()
        return model_class._from_config(config, **kwargs)

    @classmethod
    def from_pretrained(cls, *args, **kwargs):
        return _headwise.unknown("a model with published weights")

    @classmethod
    def register(cls, *args, **kwargs):
        pass


${autoClasses.map(([name, table]) => `class ${name}(_AutoModel):\n    _table = "${table}"\n`).join('\n\n')}

AutoModelForVision2Seq = AutoModelForImageTextToText
`,
  ],
]);
