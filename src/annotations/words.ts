/**
 * How surely a name is the size of an axis. `sure`: nobody uses it for anything else in brackets (`batch_size`, `C`, `d_model`).
 * `letter`: an axis letter that is also an ordinary variable (`b`, `t`). `other`: any other short name (`i`, `Np`). `weak`: a word
 * that says nothing. `never`: a word that shows that the brackets hold something else.
 */
export type Strength = 'sure' | 'letter' | 'other' | 'weak' | 'never';

const set = (words: string): ReadonlySet<string> => new Set(words.split(/\s+/));

const axisWords = set(`batch batches batch_size batchsize bs bsz b_size minibatch seq seqs seqlen slen qlen klen seq_len seq_length sequence
  sequence_length length len lengths time timesteps time_steps steps frames tokens context ctx src_len tgt_len source_length target_length
  q_len k_len kv_len kv_length q_length key_length query_length kv_seq_len q_seq_len key_len query_len
  heads head nh hs hd n_head n_heads num_heads nheads num_head head_dim headdim head_size dim dims d_k d_v d_q d_head d_model dmodel d_ff d_inner d_state
  hidden hidden_size hidden_dim hidden_states_size emb embed embed_dim embedding_dim emb_dim emb_size embed_size n_embd n_embed n_emb width height channels channel chans
  features feature feat feats vocab vocab_size vocabulary n_vocab classes num_classes labels_size num_labels patches num_patches n_patches experts num_experts
  groups n_groups num_groups ngroups layers n_layers num_layers n_layer queries num_queries beams num_beams beam_size groups_size blocks num_blocks
  chunks chunk_size windows window_size patch_size block_size max_len max_length max_seq_len tgt_seq_len src_seq_len in_features out_features
  in_channels out_channels samples num_samples codebooks num_codebooks spatial numheads querylength keylength qlength klength head_features time_len seqlength enc_seq_len dec_seq_len emb_size`);

const neverWords =
  set(`and or not the a an of is in on at by to for from with as if else then than that this these those it its be are was were i.e e.g
  ie eg etc optional required default defaults deprecated experimental true false self cls int float str string bool list dict tuple set bytes callable any
  object type types none null todo fixme note see ref via per each all both either only also same like unless without before after
  first last next previous new old left right top bottom start end min max mean std var sum loss key value query keys values cos sin real imag
  input output inputs outputs x y z xy args kwargs lambda return pass yield yes no on off name names cls_token mask masks logits
  e.g. train test val eval cpu gpu cuda tpu pad bos eos sep unk image video audio text red green blue rgb bgr good bad xmin ymin xmax ymax
  x1 x2 y1 y2 x0 y0 cx cy linear relu gelu inclusive exclusive shape shapes`);

const sizePrefix = /^(?:(?:n|num|nb|max|d|dim|len|seqlen|batch|batch_size|seq_len|hidden_size)_[a-z]\w*|time\d)$/;
const sizeSuffix =
  /_(?:size|len|length|lengths|seqlen|dim|dims|heads|channels|chans|width|height|features|tokens|frames|patches|queries|labels|classes|experts|groups|layers|blocks|chunks|windows|samples|beams|embd|ch|bs|bsz|batch|hidden|vocab|resolution)$/;
const dotted = /^[a-z_]\w*(?:\.\w+)*\.(\w+)$/i;

/** See `Strength`. Constant time for words of bounded length. */
export function strengthOf(name: string): Strength {
  const plain = dotted.exec(name)?.[1] ?? name;
  const lower = plain.toLowerCase();
  if (/^[A-Z]\d?$/.test(plain)) return 'AXYZQIJRO'.includes(plain.charAt(0)) ? 'other' : 'sure';
  if (/^[A-Z][A-Za-z]{0,2}_\w+$/.test(plain)) return 'sure';
  if (/^[a-z]$/.test(plain)) return 'bntslhwcdk'.includes(plain) ? 'letter' : 'xyz'.includes(plain) ? 'never' : 'other';
  if (axisWords.has(lower)) return 'sure';
  if (neverWords.has(lower)) return 'never';
  if (sizePrefix.test(lower) || sizeSuffix.test(lower)) return 'sure';
  if (/^(?:[a-z]+_[hw]|[a-z]_[a-z])$/.test(plain)) return 'letter';
  if (/^(?:[A-Z][a-z]|[A-Z]{2}|[a-z][0-9]|[a-z]{2})$/.test(plain)) return 'other';
  return 'weak';
}

/** Whether `batch size` or `sequence length` may stand as one size of two words. */
export const isSizePhrase = (words: readonly string[]): boolean =>
  words.length <= 3 &&
  words.every((word) => /^[a-z]+$/i.test(word) && !(/^[a-z]$/i.test(word) || /^(?:and|or|the|of|is|in|to)$/i.test(word))) &&
  /^(?:size|len|length|dim|dims|dimension|heads|channels|tokens|frames|patches|features|steps|classes)$/i.test(words.at(-1) ?? '');

/** Tuples of plain values whose members look like axes: an image size, a key and its value, a colour. */
const valueTuples =
  set(`h,w w,h height,width width,height h,w,c k,v q,k q,k,v b,h a,b a,b,c i,j i,j,k r,g,b l,r t,h,w d,h,w num_frames,height,width
  t,height,width c,a channel,height channels,height width,channels heads,dim hidden,heads start,length
  batch,head batch,heads h,h w,w length,width f,h,w s,h,w kh,kw ph,pw nh,nw target_h,target_w patch_h,patch_w`);

export const isValueTuple = (names: readonly string[]): boolean => valueTuples.has(names.join(',').toLowerCase());
