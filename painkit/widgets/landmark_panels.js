// Panels of the landmark explorer: the trace of estimates, maps of subjects. No state.

// Estimates over the frames with band and label. Returns {x(index), y(value), top, bottom, nearest(px)}.
function drawTrace(picture, width, height, { frames, trace, name, unit }) {
  const known = [...trace.estimate, trace.label, trace.low, trace.high].filter(Number.isFinite);
  let [low, high] = [Math.min(...known), Math.max(...known)];
  const room = 0.06 * (high - low) || 1;
  [low, high] = [low - room, high + room];
  canvasFor(
    picture,
    width,
    height,
    `${name} over the frames ${frames[0]} to ${frames.at(-1)}: estimates from ${plain(Math.min(...trace.estimate))} to ${plain(Math.max(...trace.estimate))}` +
      (trace.middle === undefined ? "" : `, Gaussian process ${plain(trace.middle)}`) +
      (trace.label === undefined ? "" : `, reported ${plain(trace.label)}`) +
      ". A click goes to a frame.",
  );
  const upright = ticks(low, high, 4);
  const left = 24 + Math.max(...upright.map((tick) => textWidth(plain(tick)))),
    right = width - 12;
  const marks = [{ name: "estimate of each frame", mark: () => line(0, 0, 20, 0, "pk-estimate") }];
  if (trace.middle !== undefined)
    marks.push({
      name: "Gaussian process, 90 % band",
      mark: () =>
        svg(
          "g",
          {},
          svg("rect", { x: 0, y: -5, width: 20, height: 10, class: "pk-band" }),
          line(0, 0, 20, 0, "pk-process"),
        ),
    });
  if (trace.label !== undefined)
    marks.push({ name: `reported ${name}`, mark: () => line(0, 0, 20, 0, "pk-label-line") });
  const top = drawLegend(picture, left, right - left, marks),
    bottom = height - 38;
  const [first, last] = [frames[0], frames.at(-1)];
  const along = (frame) => left + ((frame - first) / (last - first || 1)) * (right - left);
  const y = (value) => bottom - ((value - low) / (high - low)) * (bottom - top);
  for (const tick of upright)
    picture.append(
      line(left, y(tick), right, y(tick), "pk-grid"),
      text(left - 5, y(tick) + 4, plain(tick), { "text-anchor": "end" }),
    );
  const step = Math.max(2, Math.floor((right - left) / 70));
  for (const tick of ticks(first, last, step).filter(Number.isInteger))
    picture.append(text(along(tick), bottom + 16, tick, { "text-anchor": "middle" }));
  picture.append(
    text((left + right) / 2, height - 5, "frame", { "text-anchor": "middle" }),
    text(0, 0, unit, {
      transform: `translate(12,${(top + bottom) / 2}) rotate(-90)`,
      "text-anchor": "middle",
    }),
  );
  if (trace.low !== undefined)
    picture.append(
      svg("rect", {
        x: left,
        y: y(trace.high),
        width: right - left,
        height: y(trace.low) - y(trace.high),
        class: "pk-band",
      }),
    );
  if (trace.middle !== undefined)
    picture.append(line(left, y(trace.middle), right, y(trace.middle), "pk-process"));
  if (trace.label !== undefined)
    picture.append(line(left, y(trace.label), right, y(trace.label), "pk-label-line"));
  let path = "";
  frames.forEach(
    (frame, i) =>
      (path += `${i && frame - frames[i - 1] === 1 ? "L" : "M"}${along(frame).toFixed(1)},${y(trace.estimate[i]).toFixed(1)}`),
  );
  picture.append(svg("path", { d: path, class: "pk-estimate" }));
  const nearest = (px) =>
    frames.reduce(
      (best, frame, i) => (Math.abs(along(frame) - px) < Math.abs(along(frames[best]) - px) ? i : best),
      0,
    );
  return { x: (i) => along(frames[i]), y, top, bottom, nearest };
}

// A small face: the larger a landmark's value, the larger and brighter its point.
function drawMap(picture, width, face, values, top, words, title) {
  const box = boundsOf(face.points),
    head = title ? 20 : 0;
  const height = Math.round((width * (box[3] - box[1])) / (box[2] - box[0])) + head;
  canvasFor(picture, width, height, words);
  const shapes = faceShapes(face.lines),
    { scale, x, y, place } = fitting(box, width, height - head),
    points = place(face.points);
  shapes.draw(points);
  // A picture of its own, which cuts what of the photo lies outside.
  const group = svg("svg", { y: head, width, height: height - head });
  if (face.image) {
    const size = face.size * scale;
    group.append(svg("image", { href: face.image, x, y, width: size, height: size }));
    shapes.group.classList.add("pk-on-photo");
  }
  group.append(shapes.group);
  points.forEach(([cx, cy], i) =>
    group.append(
      svg("circle", {
        cx,
        cy,
        r: 1 + (width / 50) * Math.sqrt(values[i] / top || 0),
        fill: shade(VIRIDIS, values[i] / top),
        class: "pk-point",
      }),
    ),
  );
  if (title) picture.append(text(width / 2, 13, title, { "text-anchor": "middle" }));
  picture.append(group);
}
