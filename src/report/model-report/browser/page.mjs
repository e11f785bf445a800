// The script of a report's page: draws the plots and the ways between the boxes, and copies IDs. It reads numbers and words from
// the page's data and writes text alone, never markup.
import { drawPlots } from './draw-plots.mjs';
import { drawWays } from './draw-ways.mjs';

const plots = JSON.parse(document.getElementById('plots').textContent);
const copiedFor = 1600;

async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // a page that was opened from a disk may not have a clipboard
    const field = document.createElement('textarea');
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand('copy');
    field.remove();
  }
  button.classList.add('copied');
  setTimeout(() => button.classList.remove('copied'), copiedFor);
}

for (const button of document.querySelectorAll('button.copy')) {
  button.hidden = false;
  button.addEventListener('click', () => copy(button));
}

let charts = drawPlots(plots);
drawWays(document.querySelector('.picture'));

/** Colours are read when a plot is drawn. */
function redraw() {
  for (const chart of charts) chart.destroy();
  charts = drawPlots(plots);
}
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
