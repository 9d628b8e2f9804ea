/** The style of a page; a chart's colours are its custom properties. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #ffffff;
  --ink: #1a1d21;
  --muted: #5c646e;
  --grid: #dfe3e8;
  --loss: #c6262e;
  --c0: #0067a8;
  --c1: #b85c00;
  --c2: #007a58;
  --c3: #a0428a;
  --c4: #2a8fc4;
  --c5: #8a7300;
  --c6: #6a4fb3;
  --c7: #5f6b78;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #14171b;
    --ink: #e6e9ed;
    --muted: #9aa4b0;
    --grid: #2c323a;
    --loss: #ff6b6b;
    --c0: #4da6e8;
    --c1: #f0953f;
    --c2: #2fbf91;
    --c3: #dd85c4;
    --c4: #8ed1f5;
    --c5: #d6bf3a;
    --c6: #a993ec;
    --c7: #a9b4c0;
  }
}
body { max-width: 1100px; margin: 0 auto; padding: 16px; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; }
.number { text-align: right; }
`;
