/** Above this a file is never kept inside a commit. The Hub's own limit, bytes. */
const MAX_REGULAR_BYTES = 10_000_000;

/** What a new repo keeps with Git LFS by name, models and datasets together: the Hub's own list. */
const GLOBS = [
  ...'7z arrow avro bin bz2 ckpt ftz gz gguf h5 joblib lz4 mds mlmodel model msgpack npy npz onnx ot parquet pb pickle pkl'.split(
    ' ',
  ),
  ...'pt pth rar safetensors tar.* tar tflite tgz wasm xz zip zst pcm sam raw aac flac mp3 ogg wav bmp gif png tiff'.split(' '),
  ...'jpg jpeg webp mp4 webm'.split(' '),
].map((extension) => `*.${extension}`);

const LARGE = new RegExp(
  `(?:${GLOBS.map((glob) => glob.slice(1).replaceAll('.', '\\.').replaceAll('*', '.*')).join('|')})$|tfevents|(?:^|/)saved_model/`,
);

/** The same as the `.gitattributes` of a repo. */
export const ATTRIBUTES = [...GLOBS, '*tfevents*', '**/saved_model/**']
  .map((glob) => `${glob} filter=lfs diff=lfs merge=lfs -text\n`)
  .join('');

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
