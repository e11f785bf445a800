/**
 * Sorts and hides articles by their data attributes and listens to the keyboard. It reads numbers and words from attributes
 * and writes text alone, never markup. Without it the page is whole, in the order of the margins.
 */
export const REVIEW_SCRIPT = `
'use strict';
const form = document.forms.tools;
const list = document.querySelector('main');
const rows = Array.from(list.querySelectorAll('article'));
const shown = form.querySelector('output');
const nothing = document.querySelector('.nothing');
const texts = new Map();
const number = (row, name) => (row.dataset[name] === '' ? null : Number(row.dataset[name]));
const textOf = (row) => {
  if (!texts.has(row)) texts.set(row, row.textContent.toLowerCase());
  return texts.get(row);
};
const least = (row, name, field) => field.value === '' || (number(row, name) ?? -Infinity) >= Number(field.value);
const most = (row, name, field) => field.value === '' || (number(row, name) ?? Infinity) <= Number(field.value);
const has = (row, name, field) => field.value === '' || row.dataset[name].split('\\n').includes(field.value);

function update() {
  const f = form.elements;
  const words = f.search.value.toLowerCase().trim();
  let count = 0;
  for (const row of rows) {
    const fits = least(row, 'margin', f.least) && most(row, 'margin', f.most) && least(row, 'disagreement', f.disagreement)
      && (f.gap.value === '' || Math.abs(number(row, 'gap')) >= Number(f.gap.value))
      && has(row, 'source', f.source) && has(row, 'flags', f.flag) && has(row, 'models', f.model) && has(row, 'split', f.split)
      && (words === '' || textOf(row).includes(words));
    row.hidden = !fits;
    count += fits ? 1 : 0;
  }
  const [name, way] = f.sort.value.split(' ');
  const key = (row) => (name === 'gap' ? Math.abs(number(row, name)) : number(row, name));
  const sign = way === 'down' ? -1 : 1;
  // rows without the number come last in both directions
  rows.sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === null || y === null) return (x === null) - (y === null) || number(a, 'at') - number(b, 'at');
    return sign * (x - y) || number(a, 'at') - number(b, 'at');
  });
  list.append(...rows);
  shown.textContent = count + ' of ' + rows.length + ' pairs';
  nothing.hidden = count > 0;
}

function step(by) {
  const visible = rows.filter((row) => !row.hidden);
  const at = visible.indexOf(document.activeElement.closest('article'));
  const next = visible[Math.min(visible.length - 1, Math.max(0, at + by))];
  if (next === undefined) return;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: 'start' });
}

function paint() {
  document.body.classList.toggle('diff', form.elements.diff.checked);
  document.body.classList.toggle('no-why', !form.elements.why.checked);
}

form.addEventListener('input', (event) => (event.target.type === 'checkbox' ? paint() : update()));
form.addEventListener('reset', () => setTimeout(() => { paint(); update(); }));
form.addEventListener('submit', (event) => event.preventDefault());
document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === 'Escape') return document.activeElement.blur();
  if (event.target.closest('input, select, textarea')) return;
  const box = { d: form.elements.diff, r: form.elements.why }[event.key];
  if (event.key === 'j') step(1);
  else if (event.key === 'k') step(-1);
  else if (event.key === 'o') {
    const others = document.activeElement.closest('article')?.querySelector('details.others');
    if (others) others.open = !others.open;
  } else if (event.key === '/') {
    event.preventDefault();
    form.elements.search.focus();
  } else if (box) {
    box.checked = !box.checked;
    paint();
  }
});
form.hidden = false;
paint();
update();
`;
