import { createHash } from 'node:crypto';
import { type Html, html } from './html.ts';

/** What the head of a page says. */
export interface DocumentHead {
  readonly title: string;
  readonly style: string;
  readonly script: string;
  /** A `data:` address: without any a browser may ask for one where the page lies. */
  readonly icon?: string;
}

/** A document up to the end of its head. Its policy forbids every script and style but these two, known by their hashes. */
export function documentHead({ title, style, script, icon }: DocumentHead): Html {
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const images = icon === undefined ? '' : ' img-src data:;';
  const policy = `default-src 'none';${images} style-src ${hash(style)}; script-src ${hash(script)}; base-uri 'none'; form-action 'none'`;
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${title}</title>${icon === undefined ? undefined : html`\n<link rel="icon" href="${icon}">`}
<style>${{ html: style }}</style>
</head>`;
}
