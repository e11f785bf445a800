/** One sheet for light and dark; the colours are those of the review page. Plots read theirs from the same variables. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --page: light-dark(#f6f6f3, #131417);
  --card: light-dark(#ffffff, #1c1e22);
  --sunk: light-dark(#f1f1ed, #25272c);
  --line: light-dark(#dfdfd8, #33363d);
  --text: light-dark(#1c1d1f, #e8e8e5);
  --soft: light-dark(#5f626a, #a2a5ad);
  --accent: light-dark(#2f5aa8, #8fb4f5);
  --accent-wash: light-dark(#e6edf9, #1f2b42);
  --good: light-dark(#1d6b46, #7bd3a3);
  --bad: light-dark(#9b3324, #f0a092);
  --warn: light-dark(#7a5300, #e8c16d);
  --plot-0: light-dark(#2f5aa8, #8fb4f5);
  --plot-1: light-dark(#b8561c, #f2a36b);
  --plot-2: light-dark(#1f7a5c, #6fd0a8);
  --plot-3: light-dark(#8a3d8f, #d79be0);
  --plot-4: light-dark(#7a6a00, #d8c658);
  --plot-5: light-dark(#a32a4a, #f291a8);
  font: 15px/1.55 system-ui, sans-serif;
}
* { box-sizing: border-box; }
[hidden] { display: none !important; }
html { scroll-behavior: smooth; }
body { margin: 0; background: var(--page); color: var(--text); overflow-wrap: anywhere; }
a { color: var(--accent); }
header.top, main, footer, nav > div { max-width: 1180px; margin: 0 auto; padding-left: 28px; padding-right: 28px; }
header.top { padding-top: 44px; padding-bottom: 26px; }
.eyebrow { font-size: 13px; letter-spacing: 0.04em; color: var(--soft); margin: 0; }
h1 { font-size: clamp(26px, 4.4vw, 42px); line-height: 1.15; letter-spacing: -0.02em; margin: 6px 0 12px; font-weight: 650; }
h2 { font-size: 22px; letter-spacing: -0.01em; margin: 0 0 18px; font-weight: 620; }
h3 { font-size: 16px; margin: 26px 0 10px; font-weight: 620; }
h3 small { font-weight: 400; color: var(--soft); font-size: 14px; margin-left: 6px; }
h2 + h3 { margin-top: 0; }
.plots + h3 { margin-top: 34px; }
.plots + .plots:not(:empty) { margin-top: 20px; }
.lead { font-size: 17px; max-width: 68ch; margin: 14px 0 0; }
code, pre { font: 12.5px/1.5 ui-monospace, 'SFMono-Regular', Menlo, Consolas, monospace; }
.soft { color: var(--soft); font-size: 13.5px; margin: 12px 0 0; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.mark { color: var(--warn); font-size: 13.5px; margin: 0 0 10px; }
.tiles { display: flex; flex-wrap: wrap; gap: 1px; background: var(--line); border: 1px solid var(--line); border-radius: 14px; overflow: hidden; margin: 26px 0 0; }
.tile { flex: 1 1 142px; background: var(--card); padding: 16px 18px; }
.tile dt { font-size: 13px; color: var(--soft); }
.tile dd { margin: 2px 0 0; font-size: 25px; line-height: 1.2; letter-spacing: -0.01em; font-variant-numeric: tabular-nums; font-weight: 600; }
.tile small { display: block; font-size: 12.5px; font-weight: 400; color: var(--soft); letter-spacing: 0; margin-top: 3px; }
dl { margin: 0; }
nav { position: sticky; top: 0; z-index: 3; background: var(--page); border-bottom: 1px solid var(--line); }
nav > div { display: flex; gap: 22px; overflow-x: auto; scrollbar-width: none; padding-top: 11px; padding-bottom: 11px; font-size: 14px; }
nav a { color: var(--soft); text-decoration: none; white-space: nowrap; }
nav a:hover { color: var(--text); }
main { padding-top: 28px; padding-bottom: 20px; display: grid; grid-template-columns: minmax(0, 1fr); gap: 26px; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 16px; padding: 26px 28px 28px; scroll-margin-top: 60px; min-width: 0; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.copyable { display: inline-flex; gap: 6px; align-items: center; max-width: 100%; }
.copyable code { color: var(--soft); }
button.copy { flex: none; position: relative; width: 26px; height: 24px; border: 1px solid var(--line); border-radius: 6px; background: var(--card); cursor: pointer; padding: 0; }
button.copy::before, button.copy::after { content: ''; position: absolute; width: 8px; height: 9px; border: 1.5px solid var(--soft); border-radius: 2px; left: 6px; top: 5px; }
button.copy::after { left: 10px; top: 8px; background: var(--card); }
button.copy:hover::before, button.copy:hover::after { border-color: var(--accent); }
button.copy.copied::before { content: none; }
button.copy.copied::after { width: 5px; height: 10px; left: 10px; top: 4px; border-width: 0 2px 2px 0; border-color: var(--good); border-radius: 0; background: none; transform: rotate(40deg); }
.picture { position: relative; display: grid; grid-template-columns: repeat(auto-fit, minmax(148px, 1fr)); gap: 30px 44px; }
.picture .ways { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; overflow: visible; }
.ways path { fill: none; stroke: color-mix(in srgb, var(--soft) 42%, var(--card)); stroke-width: 1.75; transition: stroke 0.15s; }
.ways path.hot { stroke: var(--accent); stroke-width: 2.25; }
.stage { display: flex; flex-direction: column; gap: 18px; min-width: 0; position: relative; }
.stage h3 { margin: 0; font-size: 13px; font-weight: 600; letter-spacing: 0.03em; color: var(--soft); }
.box { position: relative; background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--plot-2); border-radius: 10px; padding: 9px 12px 10px; transition: border-color 0.15s, opacity 0.15s; }
.box.model { border-left-color: var(--plot-0); }
.box.result { background: var(--sunk); }
.box.subject { background: var(--accent-wash); border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
.picture.asked .box { opacity: 0.38; }
.picture.asked .box.hot { opacity: 1; }
.box .what { display: flex; gap: 8px; font-size: 12px; color: var(--soft); }
.box .kind { font-weight: 600; color: var(--plot-2); }
.box.model .kind { color: var(--plot-0); }
.box b { display: block; font-size: 14px; line-height: 1.35; font-weight: 600; }
.facts-line { display: flex; flex-wrap: wrap; gap: 0 12px; font-size: 12.5px; color: var(--soft); font-variant-numeric: tabular-nums; }
.ref { display: flex; justify-content: space-between; align-items: center; margin-top: 5px; min-height: 24px; }
.ref code { color: var(--soft); }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); gap: 10px 20px; margin: 0 0 16px; }
.facts dt { font-size: 12.5px; color: var(--soft); }
.facts dd { margin: 0; font-size: 17px; font-variant-numeric: tabular-nums; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 420px), 1fr)); gap: 20px; }
.plots > figure:last-child:nth-child(odd) { grid-column: 1 / -1; }
.plots.wide { grid-template-columns: minmax(0, 1fr); }
figure { margin: 0; min-width: 0; border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px 10px; }
figcaption { font-weight: 600; font-size: 14px; margin-bottom: 8px; }
figcaption small { font-weight: 400; color: var(--soft); font-size: 13px; }
.canvas { position: relative; height: 236px; }
.radar .canvas { height: 380px; }
details { margin-top: 10px; }
details.data { margin-top: 6px; }
summary { cursor: pointer; color: var(--soft); font-size: 13px; width: fit-content; }
summary:hover { color: var(--text); }
.scroll { overflow-x: auto; margin-top: 8px; max-height: 520px; overflow-y: auto; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; min-width: 100%; }
th, td { text-align: left; font-weight: 400; padding: 6px 18px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.words, th.words { overflow-wrap: break-word; max-width: 46ch; }
thead th { color: var(--soft); font-size: 12.5px; position: sticky; top: 0; background: var(--card); }
th.number, td.number { text-align: right; white-space: nowrap; }
tbody tr:last-child > * { border-bottom: 0; }
td.number:last-child, th.number:last-child, td:last-child { padding-right: 2px; }
td small { color: var(--soft); font-size: 12.5px; }
ul { margin: 8px 0 0; padding-left: 20px; }
li { margin: 4px 0; }
.commands { display: grid; gap: 12px; margin-bottom: 12px; }
.commands dt { font-size: 13px; color: var(--soft); }
.commands dd { margin: 2px 0 0; }
.commands code { color: var(--text); background: var(--sunk); border-radius: 6px; padding: 4px 9px; }
.code { position: relative; margin-top: 8px; }
.code button.copy { position: absolute; right: 10px; top: 10px; }
pre { margin: 0; background: var(--sunk); border-radius: 10px; padding: 14px 16px; overflow: auto; max-height: 460px; white-space: pre; overflow-wrap: normal; }
footer { color: var(--soft); font-size: 13px; padding-top: 6px; padding-bottom: 56px; }
@media (max-width: 700px) {
  header.top { padding-top: 28px; }
  header.top, main, footer, nav > div { padding-left: 14px; padding-right: 14px; }
  section { padding: 20px 16px 20px; border-radius: 14px; }
  .tile { padding: 12px 14px; }
  .tile dd { font-size: 21px; }
  .picture { grid-template-columns: minmax(0, 1fr); padding-left: 22px; gap: 26px; }
  figure { padding: 12px 10px 8px; }
  .radar .canvas { height: 300px; }
  td, th { padding-right: 14px; }
}
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } * { transition: none !important; } }
@media print {
  nav, button.copy { display: none; }
  section, figure { break-inside: avoid; }
}
`;
