import { numberKey } from '../keys.ts';
import { defineRule } from '../rule.ts';
import { divisorsNear, writeFix } from '../suggest.ts';

/** Key names of group-limited routing: groups, groups that may be chosen. */
const names: readonly (readonly [string, string])[] = [
  ['n_group', 'topk_group'], // DeepSeek
  ['n_expert_groups', 'n_limited_groups'], // DeepSeek's own inference code
  ['moe_router_num_groups', 'moe_router_group_topk'], // Megatron
  ['n_routing_groups', 'topk_routing_group'], // maxtext
];

export const expertGroups = defineRule({
  code: 'HW204',
  name: 'expert-groups-do-not-fit',
  category: 'projections',
  severity: 'error',
  since: '0.1.0',
  docs: {
    what: 'The groups of group-limited routing do not fit the experts: they do not divide them, more are chosen than there are, or the chosen ones hold fewer experts than a token needs.',
    why: 'Group-limited routing reshapes the scores to groups x (experts / groups), keeps the best groups and takes the top k of the experts in them (DeepSeek-V2, section 2.2.2; DeepSeek-V3, section 2.1.2). A remainder fails in the reshape, too many groups in `topk`. When the chosen groups hold fewer experts than a token needs, masked experts are picked (a warning).',
    bad: [
      {
        language: 'json',
        code: '{"model_type": "deepseek_v3", "hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 16, "num_hidden_layers": 27, "n_routed_experts": 60, "num_experts_per_tok": 6, "n_group": 8, "topk_group": 4}',
      },
      {
        language: 'json',
        code: '{"dim": 2048, "n_layers": 27, "n_heads": 16, "inter_dim": 8192, "n_routed_experts": 64, "n_activated_experts": 6, "n_expert_groups": 4, "n_limited_groups": 8}',
      },
      {
        language: 'json',
        code: '{"model_type": "glm4_moe", "hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 128, "num_hidden_layers": 27, "n_routed_experts": 64, "num_experts_per_tok": 12, "n_group": 8, "topk_group": 1}',
      },
    ],
    good: [
      {
        language: 'json',
        code: '{"model_type": "deepseek_v3", "hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 16, "num_hidden_layers": 27, "n_routed_experts": 64, "num_experts_per_tok": 6, "n_group": 8, "topk_group": 4}',
      },
      {
        language: 'json',
        code: '{"model_type": "deepseek_v2", "hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 16, "num_hidden_layers": 27, "n_routed_experts": 60, "num_experts_per_tok": 6, "n_group": 8, "topk_group": 3, "topk_method": "greedy", "q_lora_rank": null}',
      },
    ],
    fixSafety: 'Unsafe: it changes which experts a token can reach.',
    references: ['https://arxiv.org/abs/2405.04434', 'https://arxiv.org/abs/2412.19437'],
  },
  messages: {
    indivisible: '{experts} experts do not split into {groups} groups: {experts} % {groups} = {remainder}.',
    tooMany: '{chosen} groups are chosen for each token, but there are {groups}.',
    tooFew: '{topK} experts per token, but the {chosen} chosen of {groups} groups hold {held}: {experts} / {groups} x {chosen}.',
  },
  checkDesign(design, { reading, report }) {
    const { experts, expertsPerToken } = design.fields;
    if (experts === undefined || !Number.isInteger(experts.value) || experts.value < 2) return;
    if (design.section.string('topk_method') === 'greedy' || (design.family === 'deepseek_v2' && !design.section.has('topk_method')))
      return;
    for (const [groupsKey, chosenKey] of names) {
      const groups = numberKey(design, groupsKey);
      const chosen = numberKey(design, chosenKey);
      if (groups === undefined || !Number.isInteger(groups.value) || groups.value < 2) continue;
      if (groups.source !== 'written' && experts.source !== 'written') continue;
      const count = groups.value;
      if (experts.value % count !== 0) {
        const at = groups.range ?? experts.range;
        if (at === undefined) continue;
        report({
          at,
          message: 'indivisible',
          data: { experts: experts.value, groups: count, remainder: experts.value % count },
          related: [
            { range: groups.range === undefined ? undefined : experts.keyRange, message: `${experts.value} experts are set here.` },
          ],
          fixes: divisorsNear(experts.value, count, 8)
            .filter((divisor) => divisor >= (chosen?.value ?? 1) && holds(experts.value, divisor, chosen?.value, expertsPerToken?.value))
            .slice(0, 2)
            .flatMap((divisor) => writeFix(reading, `Use ${divisor} groups`, [[groups, divisor]])),
        });
        continue;
      }
      if (chosen === undefined || !Number.isInteger(chosen.value) || chosen.value < 1) continue;
      if (chosen.value > count) {
        const at = chosen.range ?? groups.range;
        if (at === undefined) continue;
        report({
          at,
          message: 'tooMany',
          data: { chosen: chosen.value, groups: count },
          related: [{ range: chosen.range === undefined ? undefined : groups.keyRange, message: `${count} groups are set here.` }],
          fixes: writeFix(reading, `Choose ${count} groups`, [[chosen, count]]),
        });
      } else if (!holds(experts.value, count, chosen.value, expertsPerToken?.value)) {
        const at = chosen.range ?? groups.range;
        if (at === undefined || expertsPerToken === undefined) continue;
        const needed = Math.ceil(expertsPerToken.value / (experts.value / count));
        report({
          at,
          message: 'tooFew',
          severity: 'warning',
          data: {
            topK: expertsPerToken.value,
            chosen: chosen.value,
            groups: count,
            experts: experts.value,
            held: (experts.value / count) * chosen.value,
          },
          related: [{ range: expertsPerToken.keyRange, message: `${expertsPerToken.value} experts per token are set here.` }],
          fixes: needed <= count ? writeFix(reading, `Choose ${needed} groups`, [[chosen, needed]]) : [],
        });
      }
    }
  },
});

/** Whether the chosen groups hold as many experts as a token needs; true where a number is not known. */
const holds = (experts: number, groups: number, chosen: number | undefined, topK: number | undefined): boolean =>
  chosen === undefined || topK === undefined || (experts / groups) * chosen >= topK;
