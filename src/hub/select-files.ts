import { basename, matchesGlob } from 'node:path';
import type { RepoType } from '../model/artifact.ts';

/** Files whose loading runs code: neither imported nor pulled. */
export const PICKLED: RegExp = /\.(bin|pt|pth|pkl|pickle|ckpt|joblib)$/i;

/** Weights for other programs than ours, which repos of models hold beside the safetensors. */
const FOREIGN =
  /\.(gguf|ggml|msgpack|h5|onnx|onnx_data|tflite|ot|mlmodel|mlpackage|engine)$|(^|\/)(onnx|openvino|coreml|original)\//i;

interface Selection {
  /** A pattern without a slash fits a file's name in every folder. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export interface Selected<F> {
  readonly kept: readonly F[];
  readonly left: readonly F[];
}

/**
 * What of a repo is worth bringing. Without `include`: of a model the safetensors and everything small, and no weights a
 * second time, be it as a pickle, in another program's format, in another precision (`model.fp16.safetensors`) or all in one
 * file beside the shards (`consolidated.safetensors`). Hidden files are never brought, but for that of a dataset's configs.
 */
export function selectFiles<F extends { readonly path: string }>(
  type: RepoType,
  files: readonly F[],
  { include, exclude }: Selection,
): Selected<F> {
  const names = new Set(files.map(({ path }) => path));
  const isTwice = (path: string): boolean => {
    if (PICKLED.test(path) || FOREIGN.test(path)) return true;
    const plain = /^(.*model)\.(?:fp16|bf16|fp32|non_ema)(-\d+-of-\d+)?\.safetensors$/.exec(path);
    if (plain !== null) return names.has(`${plain[1]}${plain[2] ?? ''}.safetensors`);
    const hasOther = [...names].some((name) => /\.safetensors$/.test(name) && !/^consolidated/.test(basename(name)));
    return /^consolidated.*\.safetensors$/.test(basename(path)) && hasOther;
  };
  const isKept = ({ path }: F): boolean => {
    if (path !== '.huggingface.yaml' && path.split('/').some((part) => part.startsWith('.'))) return false;
    if (exclude.some((glob) => fits(path, glob))) return false;
    if (include.length > 0) return include.some((glob) => fits(path, glob));
    return type === 'dataset' ? !PICKLED.test(path) : !isTwice(path);
  };
  return { kept: files.filter(isKept), left: files.filter((file) => !isKept(file)) };
}

function fits(path: string, glob: string): boolean {
  return matchesGlob(path, glob) || (!glob.includes('/') && matchesGlob(basename(path), glob));
}
