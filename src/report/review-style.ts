/** One sheet for light and dark. Wide columns are for reading two texts side by side; on a narrow screen they follow. */
export const REVIEW_STYLE = `
:root {
  color-scheme: light dark;
  --page: light-dark(#f6f6f3, #16171a);
  --card: light-dark(#ffffff, #1e2024);
  --sunk: light-dark(#f1f1ed, #26282d);
  --line: light-dark(#deded7, #34373e);
  --text: light-dark(#1c1d1f, #e6e6e3);
  --soft: light-dark(#63666d, #9b9ea6);
  --good: light-dark(#1d6b46, #7bd3a3);
  --good-wash: light-dark(#d9efe2, #1d3a2c);
  --bad: light-dark(#9b3324, #f0a092);
  --bad-wash: light-dark(#f8dfd9, #46261f);
  --warn: light-dark(#7a5300, #e8c16d);
  --accent: light-dark(#2f5aa8, #8fb4f5);
  font: 15px/1.55 system-ui, sans-serif;
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); }
a { color: var(--accent); }
header.top, main, footer { max-width: 1500px; margin: 0 auto; padding: 0 24px; }
header.top { padding-top: 28px; }
h1 { font-size: 22px; line-height: 1.3; margin: 0; overflow-wrap: anywhere; }
.id, .mono { font: 12.5px/1.5 ui-monospace, monospace; color: var(--soft); overflow-wrap: anywhere; }
.facts { display: flex; flex-wrap: wrap; gap: 10px 36px; margin: 18px 0; align-items: end; }
.fact dt { font-size: 12.5px; color: var(--soft); }
.fact dd { margin: 0; font-size: 20px; font-variant-numeric: tabular-nums; }
dl { margin: 0; }
.spread { margin-left: auto; }
.spread rect { fill: var(--accent); }
.spread text { fill: var(--soft); font-size: 10px; }
form.tools { position: sticky; top: 0; z-index: 2; background: var(--page); border-bottom: 1px solid var(--line); }
.tools > div { max-width: 1500px; margin: 0 auto; padding: 10px 24px; display: flex; flex-wrap: wrap; gap: 8px 14px; align-items: end; }
.tools label { display: grid; gap: 2px; font-size: 12px; color: var(--soft); }
.tools label.check { display: flex; gap: 6px; align-items: center; padding-bottom: 6px; }
input, select, button { font: inherit; font-size: 14px; color: var(--text); background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 0 8px; height: 32px; }
select { max-width: 190px; }
input[type='checkbox'] { height: auto; }
input[type='number'] { width: 84px; }
input[type='search'] { width: 200px; }
button { cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
output { font-size: 13px; color: var(--soft); margin-left: auto; padding-bottom: 6px; font-variant-numeric: tabular-nums; }
main { padding-top: 18px; display: grid; grid-template-columns: minmax(0, 1fr); gap: 18px; }
article { overflow-wrap: anywhere; background: var(--card); border: 1px solid var(--line); border-radius: 10px; scroll-margin-top: 124px; content-visibility: auto; contain-intrinsic-size: auto 620px; }
article[hidden] { display: none; }
article:focus-visible { outline-offset: 0; }
article > .head { display: flex; flex-wrap: wrap; gap: 6px 14px; align-items: baseline; padding: 12px 18px; border-bottom: 1px solid var(--line); font-size: 13px; color: var(--soft); font-variant-numeric: tabular-nums; }
.head b { color: var(--text); font-weight: 600; }
.head .mono { margin-left: auto; }
.chip { border: 1px solid var(--line); border-radius: 99px; padding: 0 9px; font-size: 12.5px; }
.chip.flag { color: var(--warn); border-color: currentColor; }
.text { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; max-width: 90ch; }
.prompt { padding: 14px 18px; background: var(--sunk); max-height: 320px; overflow: auto; }
.sides { display: grid; grid-template-columns: 1fr 1fr; grid-template-rows: auto auto auto; }
.side { padding: 14px 18px 18px; min-width: 0; }
.sides > .side { display: grid; grid-row: span 3; grid-template-rows: subgrid; align-content: start; }
.sides > .side + .side { border-left: 1px solid var(--line); }
.side h3 { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: baseline; margin: 0 0 10px; font-size: 14px; font-weight: 600; }
.side h3 span { font-weight: 400; color: var(--soft); font-size: 13px; font-variant-numeric: tabular-nums; }
.chosen h3 > b { color: var(--good); }
.rejected h3 > b { color: var(--bad); }
mark { background: none; color: inherit; }
.diff .chosen mark { background: var(--good-wash); border-radius: 3px; }
.diff .rejected mark { background: var(--bad-wash); border-radius: 3px; }
table { border-collapse: collapse; margin: 14px 0 0; align-self: start; justify-self: start; font-size: 13px; font-variant-numeric: tabular-nums; }
th { text-align: left; font-weight: 400; color: var(--soft); padding: 2px 14px 2px 0; vertical-align: top; white-space: nowrap; }
td { padding: 2px 14px 2px 0; vertical-align: top; }
td.value { text-align: right; font-weight: 600; }
td.single { white-space: nowrap; color: var(--soft); }
td.why { color: var(--soft); white-space: pre-wrap; overflow-wrap: anywhere; max-width: 70ch; }
body.no-why td.why { display: none; }
details.others { border-top: 1px solid var(--line); padding: 10px 18px; }
summary { cursor: pointer; color: var(--soft); font-size: 13px; }
details.others .side { padding: 14px 0 6px; }
details.others .side + .side { border-top: 1px solid var(--line); }
.nothing { padding: 48px 0; text-align: center; color: var(--soft); }
footer { color: var(--soft); font-size: 13px; padding-top: 20px; padding-bottom: 48px; }
kbd { font: 12px ui-monospace, monospace; border: 1px solid var(--line); border-radius: 4px; padding: 0 5px; }
@media (max-width: 860px) {
  .sides { grid-template-columns: minmax(0, 1fr); grid-template-rows: none; }
  .sides > .side { display: block; }
  .sides > .side + .side { border-left: 0; border-top: 1px solid var(--line); }
  header.top, main, footer, .tools > div { padding-left: 14px; padding-right: 14px; }
  form.tools { position: static; }
  table, tbody { display: block; }
  tr { display: flex; flex-wrap: wrap; align-items: baseline; }
  th, td.single { white-space: normal; }
  td.why { flex-basis: 100%; padding-bottom: 8px; }
}
@media print {
  form.tools { display: none; }
  article { content-visibility: visible; break-inside: avoid; }
}
`;
