/** A dashed line at each step from which an attempt went on. */
export function markLines(marks, colors) {
  return {
    id: 'marks',
    afterDatasetsDraw({ ctx, chartArea, scales }) {
      ctx.save();
      ctx.strokeStyle = colors.warn;
      ctx.fillStyle = colors.warn;
      ctx.font = '11px system-ui, sans-serif';
      ctx.setLineDash([4, 3]);
      for (const mark of marks) {
        const x = scales.x.getPixelForValue(mark);
        ctx.beginPath();
        ctx.moveTo(x, chartArea.top);
        ctx.lineTo(x, chartArea.bottom);
        ctx.stroke();
        const isRight = x > chartArea.right - 60;
        ctx.textAlign = isRight ? 'right' : 'left';
        ctx.fillText('resumed', x + (isRight ? -4 : 4), chartArea.top + 10);
      }
      ctx.restore();
    },
  };
}

/** The 95 % interval of each bar, and the line that bars are read against. */
export function whiskers(colors, reference) {
  return {
    id: 'whiskers',
    afterDatasetsDraw(chart) {
      const { ctx, chartArea, scales, data } = chart;
      const x = (value) => scales.x.getPixelForValue(value);
      ctx.save();
      ctx.strokeStyle = colors.text;
      ctx.lineWidth = 1.5;
      if (reference !== undefined) line(ctx, [x(reference), chartArea.top], [0, chartArea.bottom - chartArea.top]);
      for (const [at, { spans }] of data.datasets.entries())
        if (chart.isDatasetVisible(at))
          for (const [index, bar] of chart.getDatasetMeta(at).data.entries()) whisker(ctx, bar.y, spans[index]?.map(x));
      ctx.restore();
    },
  };
}

function whisker(ctx, y, span) {
  if (span === undefined) return;
  const [low, high] = span;
  line(ctx, [low, y], [high - low, 0]);
  for (const end of span) line(ctx, [end, y - 4], [0, 8]);
}

function line(ctx, [x, y], [dx, dy]) {
  ctx.beginPath();
  ctx.moveTo(x, y);
  ctx.lineTo(x + dx, y + dy);
  ctx.stroke();
}
