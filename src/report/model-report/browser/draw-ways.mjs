const SVG = 'http://www.w3.org/2000/svg';

/** Draws a line from each box to those that were made of it, again whenever the picture changes its size. */
export function drawWays(picture) {
  const svg = picture?.querySelector('svg.ways');
  if (!svg) return;
  const boxes = [...picture.querySelectorAll('.box')];
  const byNumber = new Map(boxes.map((box) => [box.dataset.box, box]));
  const sources = (box) => box.dataset.from.split(' ').flatMap((number) => byNumber.get(number) ?? []);
  const ways = boxes.flatMap((to) => sources(to).map((from) => ({ from, to, path: document.createElementNS(SVG, 'path') })));
  svg.append(...ways.map(({ path }) => path));
  const place = () => {
    const origin = picture.getBoundingClientRect();
    for (const { from, to, path } of ways) path.setAttribute('d', wayBetween(placed(from, origin), placed(to, origin)));
  };
  new ResizeObserver(place).observe(picture);
  place();
  for (const box of boxes) {
    const show = () => highlight(picture, boxes, ways, ancestors(box, sources));
    const hide = () => highlight(picture, boxes, ways, new Set());
    box.addEventListener('pointerenter', show);
    box.addEventListener('pointerleave', hide);
    box.addEventListener('focusin', show);
    box.addEventListener('focusout', hide);
  }
}

function placed(box, origin) {
  const { left, right, top, bottom } = box.getBoundingClientRect();
  return { left: left - origin.left, right: right - origin.left, top: top - origin.top, bottom: bottom - origin.top };
}

/** Columns are left by the right side, as one reads; within a column a line goes down, or past the boxes between along its left side. */
function wayBetween(from, to) {
  if (to.left > from.right) {
    const [y, end] = [(from.top + from.bottom) / 2, (to.top + to.bottom) / 2];
    const bend = Math.max(24, (to.left - from.right) / 2);
    return `M${from.right},${y}C${from.right + bend},${y} ${to.left - bend},${end} ${to.left},${end}`;
  }
  const gap = to.top - from.bottom;
  const middle = from.left + 26;
  if (Math.abs(to.left - from.left) < 1 && gap >= 0 && gap < 40) return `M${middle},${from.bottom}V${to.top}`;
  const [y, end] = [(from.top + from.bottom) / 2, (to.top + to.bottom) / 2];
  const out = Math.min(20, 10 + Math.abs(end - y) / 60);
  return `M${from.left},${y}C${from.left - out},${y} ${to.left - out},${y} ${to.left - out},${(y + end) / 2}S${to.left - out},${end} ${to.left},${end}`;
}

function ancestors(box, sources) {
  const found = new Set([box]);
  for (const each of found) for (const from of sources(each)) found.add(from);
  return found;
}

function highlight(picture, boxes, ways, hot) {
  picture.classList.toggle('asked', hot.size > 0);
  for (const box of boxes) box.classList.toggle('hot', hot.has(box));
  for (const { from, to, path } of ways) path.classList.toggle('hot', hot.has(from) && hot.has(to));
}
