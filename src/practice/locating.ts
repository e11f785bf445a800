export interface Located {
  /** what stands before the first labelled text: task, criteria, question */
  readonly before: string;
  /** by the order of the labels; `undefined` where a label has no text */
  readonly texts: readonly (string | undefined)[];
}

/** A line that only closes a text: `</text>`, `<<<END A>>>`, `[/A]`, a fence. */
const CLOSING = /^\s*(<\/[^>]*>|<<<\s*end\b[^>]*>>>|\[\/[^\]]*\]|```|-{3,}|={3,}|\[end\b[^\]]*\])\s*$/i;

/**
 * Finds the texts that a judge's prompt gives under opaque labels, each after a line such as `<text label="A">`,
 * `### Text A` or `<<<TEXT A 5f0c>>>`. The first label's line teaches the form; only lines of exactly this form open the
 * others, so that a text cannot forge a label unless it knows the form, nonce included.
 */
export function locate(prompt: string, labels: readonly string[]): Located {
  const lines = prompt.split('\n');
  const [first] = labels;
  if (first === undefined) return { before: prompt, texts: [prompt] };
  const openings = labels.map(() => -1);
  const firstAt = lines.findIndex((line) => isMarker(line, first));
  if (firstAt < 0) return { before: prompt, texts: openings.map(() => undefined) };
  const form = formOf(lines[firstAt] ?? '', first);
  labels.forEach((label, index) => {
    openings[index] = lines.findIndex((line, at) => at >= firstAt && line === form.replaceAll('\0', label));
  });
  const texts = openings.map((opening) => {
    if (opening < 0) return undefined;
    const next = Math.min(...openings.filter((other) => other > opening), lines.length);
    const inside = lines.slice(opening + 1, next);
    const closing = inside.findLastIndex((line) => CLOSING.test(line));
    return (closing < 0 ? inside : inside.slice(0, closing)).join('\n').trim();
  });
  return { before: lines.slice(0, firstAt).join('\n'), texts };
}

/** Short, with the label as a word of its own, and with something that no sentence starts or ends with. */
function isMarker(line: string, label: string): boolean {
  const words: string[] = line.match(/[A-Za-z0-9_]+/g) ?? [];
  return words.length <= 5 && words.includes(label) && /^\s*[<#[*=-]|:\s*$|^\s*(text|answer|response)\s+\w+\s*$/i.test(line);
}

function formOf(line: string, label: string): string {
  return line.replaceAll(new RegExp(`\\b${label}\\b`, 'g'), '\0');
}
