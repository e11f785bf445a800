import * as z from 'zod';

/** A decoder of Mistral's or Llama's kind, as its `config.json` describes it. */
export interface ModelShape {
  readonly hidden: number;
  /** width of the gated MLP */
  readonly intermediate: number;
  readonly layers: number;
  readonly heads: number;
  readonly headWidth: number;
  readonly keyHeads: number;
  readonly vocabulary: number;
  /** whether the output head is the embedding */
  readonly tied: boolean;
}

/** Architectures whose block is attention of grouped keys and a gated MLP, and nothing else that takes memory. */
const KNOWN = ['mistral', 'llama', 'qwen2', 'qwen3'] as const;

const config = z.object({
  model_type: z.enum(KNOWN),
  hidden_size: z.int().positive(),
  intermediate_size: z.int().positive(),
  num_hidden_layers: z.int().positive(),
  num_attention_heads: z.int().positive(),
  num_key_value_heads: z.int().positive().nullish(),
  head_dim: z.int().positive().nullish(),
  vocab_size: z.int().positive(),
  tie_word_embeddings: z.boolean().nullish(),
});

/** The shape in a `config.json`, or in a few words why there is none that the formula holds for. */
export function shapeIn(text: string): ModelShape | string {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return 'its config.json is no JSON';
  }
  const type = z.object({ model_type: z.string() }).safeParse(data).data?.model_type;
  if (!KNOWN.some((known) => known === type))
    return `its architecture "${type ?? 'unnamed'}" is none that is reckoned with (${KNOWN.join(', ')})`;
  const { data: found, error } = config.safeParse(data);
  if (found === undefined) return `its config.json says nothing usable of ${error.issues[0]?.path.join('.')}`;
  const heads = found.num_attention_heads;
  return {
    hidden: found.hidden_size,
    intermediate: found.intermediate_size,
    layers: found.num_hidden_layers,
    heads,
    headWidth: found.head_dim ?? Math.floor(found.hidden_size / heads),
    keyHeads: found.num_key_value_heads ?? heads,
    vocabulary: found.vocab_size,
    tied: found.tie_word_embeddings ?? false,
  };
}

/** Inputs and outputs of the linear layers of a block, by the names that adapters are put on. */
export function projections({ hidden, intermediate, heads, headWidth, keyHeads }: ModelShape) {
  const [queries, keys] = [heads * headWidth, keyHeads * headWidth];
  return {
    q_proj: { from: hidden, to: queries },
    k_proj: { from: hidden, to: keys },
    v_proj: { from: hidden, to: keys },
    o_proj: { from: queries, to: hidden },
    gate_proj: { from: hidden, to: intermediate },
    up_proj: { from: hidden, to: intermediate },
    down_proj: { from: intermediate, to: hidden },
  } as const;
}

/** Parameters of the linear layers of one block. */
export function linearParameters(shape: ModelShape): number {
  return Object.values(projections(shape)).reduce((sum, { from, to }) => sum + from * to, 0);
}

/** Parameters of one block, its two norms included. */
export function blockParameters(shape: ModelShape): number {
  return linearParameters(shape) + 2 * shape.hidden;
}

/** Parameters of the embedding, and as many again of an output head that is not tied to it. */
export function embeddingParameters({ vocabulary, hidden }: ModelShape): number {
  return vocabulary * hidden;
}

/** All parameters of the model. */
export function parameters(shape: ModelShape): number {
  const { layers, hidden, tied } = shape;
  return layers * blockParameters(shape) + (tied ? 1 : 2) * embeddingParameters(shape) + hidden;
}
