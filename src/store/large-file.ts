/** Above this a file is never kept inside a commit. The Hub's own limit, bytes. */
const MAX_REGULAR_BYTES = 10_000_000;

/** The `.gitattributes` that the Hub gives to a new repo, models and datasets together. */
const LARGE = new RegExp(
  `\\.(?:${[
    '7z|arrow|avro|bin|bz2|ckpt|ftz|gz|gguf|h5|joblib|lz4|mds|mlmodel|model|msgpack|npy|npz|onnx|ot|parquet|pb|pickle|pkl|pt|pth',
    'rar|safetensors|tar\\..*|tar|tflite|tgz|wasm|xz|zip|zst|pcm|sam|raw|aac|flac|mp3|ogg|wav|bmp|gif|png|tiff|jpg|jpeg|webp|mp4|webm',
  ].join('|')})$|tfevents|(?:^|/)saved_model/`,
);

/** How many bytes of a file `isLarge` wants to see. */
export const SAMPLE_BYTES = 512;

/**
 * Whether a file is kept by its sha256 outside of the commit (LFS) or inside it. An empty file is always inside: clients
 * do not upload it otherwise. `byName`: what the repo's own `.gitattributes` says of the path, where it has one.
 */
export function isLarge(path: string, size: number, sample: Uint8Array, byName = LARGE.test(path)): boolean {
  if (size === 0) return false;
  return size > MAX_REGULAR_BYTES || byName || isBinary(sample.subarray(0, SAMPLE_BYTES));
}

function isBinary(sample: Uint8Array): boolean {
  if (sample.includes(0)) return true;
  try {
    // `stream`: the sample may end inside a character
    new TextDecoder('utf-8', { fatal: true }).decode(sample, { stream: true });
    return false;
  } catch {
    return true;
  }
}
