/** `transformers.modeling_outputs` as Python: what models answer, for where the library's source is not at hand. */

const more = 'hidden_states attentions';
const past = `past_key_values ${more}`;
const both =
  'past_key_values decoder_hidden_states decoder_attentions cross_attentions encoder_last_hidden_state encoder_hidden_states encoder_attentions';

/** The fields of each, in order. */
const fields: Readonly<Record<string, string>> = {
  BaseModelOutput: `last_hidden_state ${more}`,
  BaseModelOutputWithNoAttention: 'last_hidden_state hidden_states',
  BaseModelOutputWithPooling: `last_hidden_state pooler_output ${more}`,
  BaseModelOutputWithPoolingAndNoAttention: 'last_hidden_state pooler_output hidden_states',
  BaseModelOutputWithPast: `last_hidden_state ${past}`,
  BaseModelOutputWithCrossAttentions: `last_hidden_state ${more} cross_attentions`,
  BaseModelOutputWithPoolingAndCrossAttentions: 'last_hidden_state pooler_output hidden_states past_key_values attentions cross_attentions',
  BaseModelOutputWithPastAndCrossAttentions: `last_hidden_state ${past} cross_attentions`,
  MoeModelOutputWithPast: `last_hidden_state ${past} router_logits`,
  MoeCausalLMOutputWithPast: `loss aux_loss logits ${past} router_logits`,
  Seq2SeqModelOutput: `last_hidden_state ${both}`,
  CausalLMOutput: `loss logits ${more}`,
  CausalLMOutputWithPast: `loss logits ${past}`,
  CausalLMOutputWithCrossAttentions: `loss logits ${past} cross_attentions`,
  SequenceClassifierOutputWithPast: `loss logits ${past}`,
  MaskedLMOutput: `loss logits ${more}`,
  Seq2SeqLMOutput: `loss logits ${both}`,
  NextSentencePredictorOutput: `loss logits ${more}`,
  SequenceClassifierOutput: `loss logits ${more}`,
  Seq2SeqSequenceClassifierOutput: `loss logits ${both}`,
  MultipleChoiceModelOutput: `loss logits ${more}`,
  TokenClassifierOutput: `loss logits ${more}`,
  QuestionAnsweringModelOutput: `loss start_logits end_logits ${more}`,
  Seq2SeqQuestionAnsweringModelOutput: `loss start_logits end_logits ${both}`,
  SemanticSegmenterOutput: `loss logits ${more}`,
  ImageClassifierOutput: `loss logits ${more}`,
  ImageClassifierOutputWithNoAttention: 'loss logits hidden_states',
  MaskedImageModelingOutput: `loss reconstruction ${more}`,
  BackboneOutput: `feature_maps ${more}`,
};

const classes = Object.entries(fields)
  .map(([name, all]) => `@dataclass\nclass ${name}(ModelOutput):\n${all.replace(/(\w+) ?/g, '    $1: object = None\n')}`)
  .join('\n\n');

export const outputsPrelude: ReadonlyMap<string, string> = new Map([
  ['transformers.modeling_outputs', `from dataclasses import dataclass\nfrom transformers.utils import ModelOutput\n\n\n${classes}`],
]);
