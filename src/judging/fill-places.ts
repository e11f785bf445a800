/**
 * The template with a value at each place `{name}`, filled in one pass: a value that holds such a place itself moves nothing.
 * Throws on a place without a value, which would leave the judge with a question that has a hole.
 */
export function fillPlaces(template: string, values: Readonly<Record<string, string>>): string {
  return template.replaceAll(/\{(\w+)\}/g, (place, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`Cannot fill "${place}" of a judge's prompt: there is no value of that name`);
    return value;
  });
}
