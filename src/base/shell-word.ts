/** A word of a command as a POSIX shell reads it: quoted where it holds more than the characters that no shell takes apart. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
