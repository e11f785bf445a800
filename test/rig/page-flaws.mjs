// Runs in the browser: what of the open page can be seen to be wrong.
globalThis.pageFlaws = () => {
  const all = [...document.querySelectorAll('body *')];
  const name = (element) => `${element.tagName} ${element.className} ${element.textContent?.slice(0, 40)}`;
  const isShown = (element) => element.getClientRects().length > 0;
  const scrolls = (element) => element.closest('.scroll, pre, nav') !== null;
  const outside = all.filter(
    (element) => isShown(element) && !scrolls(element) && element.getBoundingClientRect().right > innerWidth + 1,
  );
  const channels = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const light = (color) => {
    const [r = 0, g = 0, b = 0] = channels(color).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    if (element === null) return 'rgb(255, 255, 255)';
    const color = getComputedStyle(element).backgroundColor;
    return (channels(color)[3] ?? 1) > 0 ? color : behind(element.parentElement);
  };
  // contrast as WCAG 2.2, 1.4.3 defines it
  const contrast = (element) => {
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  };
  const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent?.trim());
  const faint = all.filter((element) => isShown(element) && hasText(element) && contrast(element) < 4.5);
  const blank = [...document.querySelectorAll('canvas')].filter((canvas) => {
    const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
    return !pixels.some((value) => value !== 0);
  });
  return {
    width: document.documentElement.scrollWidth,
    outside: outside.map(name),
    faint: faint.map(name),
    blank: blank.map((canvas) => canvas.ariaLabel),
  };
};
