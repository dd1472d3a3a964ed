// Bars from a zero line, and legends. No state.

// rows: {name, part, values: [...], classes: [...], told, spreads: [[from, to], ...]}; low is -high or 0, or high is 0.
function drawBars(picture, width, rows, { low, high, title, words, legend = [] }) {
  const told = rows.map(
    (row) =>
      row.told ?? (row.values.length === 1 ? signed(row.values[0], high) : row.values.map(plain).join(" / ")),
  );
  const label = Math.min(Math.max(...rows.map((row) => textWidth(row.name))), width * 0.45);
  const value = Math.max(...told.map((words) => textWidth(words)), textWidth("+0.00"));
  const left = label + 8,
    right = width - value - 8,
    thick = 20;
  canvasFor(picture, width, 1, words);
  const start = legend.length ? drawLegend(picture, 0, width, legend) + 4 : 0,
    bottom = start + rows.length * thick + 4;
  const lines = wrapped(title, width),
    height = bottom + 23 + 15 * lines.length;
  fill(picture, { height, viewBox: `0 0 ${width} ${height}` }, []);
  const x = (v) => left + ((Math.min(high, Math.max(low, v)) - low) / (high - low)) * (right - left);
  for (const tick of [...new Set([low, 0, high])])
    picture.append(
      line(x(tick), start, x(tick), bottom, tick === 0 ? "pk-zero" : "pk-grid"),
      text(x(tick), bottom + 14, (tick > 0 && low < 0 ? "+" : "") + plain(tick), { "text-anchor": "middle" }),
    );
  // The title stands in the middle of the bars where it has room there.
  const half = textWidth(title) / 2,
    middle = Math.min(Math.max((left + right) / 2, half), Math.max(width - half, width / 2));
  lines.forEach((part, i) =>
    picture.append(
      text(lines.length > 1 ? width / 2 : middle, bottom + 33 + 15 * i, part, { "text-anchor": "middle" }),
    ),
  );
  rows.forEach((row, i) => {
    const y = start + i * thick + 2,
      each = (thick - 4) / row.values.length;
    const group = svg("g", { class: "pk-row", "data-part": row.part });
    group.append(
      svg("rect", { x: 0, y: y - 2, width, height: thick, fill: "transparent" }),
      text(label, y + 12, row.name, { "text-anchor": "end" }),
    );
    row.values.forEach((v, k) => {
      if (!Number.isFinite(v)) return;
      const [from, to] = [x(0), x(v)];
      group.append(
        svg("rect", {
          x: Math.min(from, to),
          y: y + k * each,
          width: Math.abs(to - from),
          height: each - (row.values.length > 1 ? 1 : 0),
          class: row.classes[k],
        }),
      );
      const middle = y + (k + 0.5) * each,
        spread = row.spreads?.[k];
      if (spread?.every(Number.isFinite))
        group.append(line(x(spread[0]), middle, x(spread[1]), middle, "pk-spread"));
    });
    group.append(text(width - 2, y + 12, told[i], { "text-anchor": "end" }));
    picture.append(group);
  });
}

// Entries of a legend, wrapped to the width: returns the height.
function drawLegend(picture, x, width, entries) {
  let at = x,
    y = 10;
  for (const { name, mark } of entries) {
    const wide = 26 + textWidth(name) + 14;
    if (at > x && at + wide - 14 > x + width) ((at = x), (y += 18));
    picture.append(svg("g", { transform: `translate(${at},${y - 4})` }, mark()), text(at + 26, y, name));
    at += wide;
  }
  return y + 8;
}
