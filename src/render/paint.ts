import { styleText } from 'node:util';

export type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan';
export type Paint = (style: Style, text: string) => string;

/** Colours or leaves alone. Whether to colour is decided once, by the caller, from the stream and NO_COLOR. */
export function painter(color: boolean): Paint {
  return color ? (style, text) => (text === '' ? '' : styleText(style, text, { validateStream: false })) : (_style, text) => text;
}
