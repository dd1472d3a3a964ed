// What is drawn: small pieces of HTML and SVG, scales, and the face. No state.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}
const html = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS(SVG, tag), attributes, children);
const text = (x, y, words, attributes = {}) => svg("text", { x, y, ...attributes }, words);
const line = (x1, y1, x2, y2, name) => svg("line", { x1, y1, x2, y2, class: name });

// An empty picture of a size in pixels, told in words.
function canvasFor(picture, width, height, words) {
  picture.replaceChildren();
  return fill(
    picture,
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": words },
    [],
  );
}

const pen = document.createElement("canvas").getContext("2d");
function textWidth(words, size = 12) {
  pen.font = `${size}px ${getComputedStyle(document.body).getPropertyValue("--jp-ui-font-family") || "sans-serif"}`;
  return pen.measureText(words).width * 1.06;
}

// A number stays on the line of its sign or name, and % on that of its number.
const unbroken = (words) => words.replaceAll(/ (?=%)|(?<=[−+=]|sd) (?=[\d−])/g, "\u00a0");

// Lines of words that fit a width.
function wrapped(words, width) {
  return words.split(" ").reduce(
    (lines, word) => {
      const longer = `${lines.at(-1)} ${word}`.trim();
      return textWidth(longer) <= width ? [...lines.slice(0, -1), longer] : [...lines, word];
    },
    [""],
  );
}

// Arrays come as bytes, such as {shape, float32}. They become a typed array with its shape.
const ARRAYS = { float32: Float32Array, int16: Int16Array, uint8: Uint8Array };
function unpack(value) {
  if (value === null || typeof value !== "object" || value instanceof DataView) return value;
  for (const [kind, array] of Object.entries(ARRAYS))
    if (value[kind] !== undefined) {
      const { buffer, byteOffset, byteLength } = value[kind];
      return Object.assign(new array(buffer.slice(byteOffset, byteOffset + byteLength)), {
        shape: value.shape,
      });
    }
  if (Array.isArray(value)) return value.map(unpack);
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, unpack(part)]));
}
// Row of an array of two or three dimensions.
function rowOf(array, index) {
  const size = array.length / array.shape[0];
  return array.subarray(index * size, (index + 1) * size);
}
const largest = (values) =>
  values.reduce((top, value) => (Math.abs(value) > top ? Math.abs(value) : top), 0) || 1;

// "+0.12", as fine as the range asks for.
function signed(value, range) {
  if (!Number.isFinite(value)) return "–";
  const shown = Math.abs(value).toFixed(Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(range)))));
  return (Number(shown) === 0 ? "" : value < 0 ? "−" : "+") + shown;
}
const RAISED = { "-": "⁻", ...Object.fromEntries([..."⁰¹²³⁴⁵⁶⁷⁸⁹"].entries()) };
// Three digits, "2.5" or "9.57·10⁻⁵".
function plain(value) {
  const small = value !== 0 && Math.abs(value) < 1e-3;
  const [digits, power] = (small ? value.toExponential(2) : String(+value.toPrecision(3))).split("e");
  const raised = power === undefined ? "" : `·10${[...power].map((one) => RAISED[one] ?? "").join("")}`;
  return `${+digits}${raised}`.replace("-", "−");
}

// About so many round numbers from low to high.
function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= 0.75 * rough) * power;
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) found.push(i * step);
  return found;
}

const RED_BLUE = [
  "#053061",
  "#2166ac",
  "#4393c3",
  "#92c5de",
  "#d1e5f0",
  "#f7f7f7",
  "#fddbc7",
  "#f4a582",
  "#d6604d",
  "#b2182b",
  "#67001f",
];
const VIRIDIS = [
  "#440154",
  "#482878",
  "#3e4989",
  "#31688e",
  "#26828e",
  "#1f9e89",
  "#35b779",
  "#6ece58",
  "#b5de2b",
  "#fde725",
];
const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
// Colour at 0..1 of a scale of colours; grey for what is not known.
function shade(scale, share) {
  if (!Number.isFinite(share)) return "#888";
  const at = Math.min(1, Math.max(0, share)) * (scale.length - 1);
  const [low, high] = [rgb(scale[Math.floor(at)]), rgb(scale[Math.ceil(at)])];
  return `rgb(${low.map((value, i) => Math.round(value + (high[i] - value) * (at % 1))).join(",")})`;
}

let gradients = 0;
// A colour bar with its title: what is measured, and the unit.
function colourBar(picture, width, scale, low, high, title) {
  const lines = wrapped(title, width),
    y = 15 * lines.length + 3;
  canvasFor(picture, width, y + 28, `Colours: ${title}, from ${plain(low)} to ${plain(high)}`);
  const name = `pk-gradient-${gradients++}`;
  const stops = scale.map((colour, i) =>
    svg("stop", { offset: i / (scale.length - 1), "stop-color": colour }),
  );
  const told = [low, (low + high) / 2, high].map((value) => (value > 0 && low < 0 ? "+" : "") + plain(value));
  const bar = Math.min(width - Math.max(60, ...told.map((words) => textWidth(words) + 2)), 360),
    x = (width - bar) / 2;
  picture.append(
    svg("defs", {}, svg("linearGradient", { id: name }, ...stops)),
    ...lines.map((words, i) => text(width / 2, 12 + 15 * i, words, { "text-anchor": "middle" })),
    svg("rect", { x, y, width: bar, height: 10, fill: `url(#${name})`, class: "pk-edge" }),
    ...told.map((words, i) => text(x + (bar * i) / 2, y + 24, words, { "text-anchor": "middle" })),
  );
}

// A smooth path through points [x, y] (Catmull and Rom).
function smooth(points, closed = false) {
  const n = points.length,
    at = (i) => points[closed ? (i + n) % n : Math.min(n - 1, Math.max(0, i))];
  let path = `M${points[0].map((v) => v.toFixed(1))}`;
  for (let i = 0; i < (closed ? n : n - 1); i++) {
    const [a, b, c, d] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
    const [p, q] = [[0, 1].map((k) => b[k] + (c[k] - a[k]) / 6), [0, 1].map((k) => c[k] - (d[k] - b[k]) / 6)];
    path += `C${[...p, ...q, ...c].map((v) => v.toFixed(1))}`;
  }
  return closed ? path + "Z" : path;
}

// Top of the head above the brows, as far as landmarks can tell.
const foreheadHeight = (point) => 0.42 * (point(8)[1] - (point(19)[1] + point(24)[1]) / 2);

// Where a view of 66-point faces lies: [left, top, right, bottom] with room for the forehead.
function boundsOf(points) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (let face = 0; face < points.length; face += 132) {
    const point = (i) => [points[face + 2 * i], points[face + 2 * i + 1]];
    for (let i = 0; i < 66; i++) {
      const [x, y] = point(i),
        top = i > 16 && i < 27 ? y - foreheadHeight(point) : y;
      ((box[0] = Math.min(box[0], x)), (box[1] = Math.min(box[1], top)));
      ((box[2] = Math.max(box[2], x)), (box[3] = Math.max(box[3], y)));
    }
  }
  const margin = 0.05 * (box[3] - box[1]);
  return [box[0] - margin, box[1], box[2] + margin, box[3] + margin];
}

// How points of an image are put into width x height pixels: {scale, x, y, place(points)}.
function fitting(box, width, height) {
  const scale = Math.min(width / (box[2] - box[0]), height / (box[3] - box[1]));
  const x = width / 2 - (scale * (box[0] + box[2])) / 2,
    y = height / 2 - (scale * (box[1] + box[3])) / 2;
  const place = (points) =>
    Array.from({ length: 66 }, (_, i) => [points[2 * i] * scale + x, points[2 * i + 1] * scale + y]);
  return { scale, x, y, place };
}

const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);
// A face from its landmarks: paths made once, then moved by `draw(points)`.
function faceShapes(lines) {
  const shape = (name) => svg("path", { class: name });
  const skin = shape("pk-skin"),
    eyes = shape("pk-eye"),
    lips = shape("pk-lips"),
    mouth = shape("pk-mouth");
  const strokes = shape("pk-strokes"),
    iris = shape("pk-iris"),
    brows = shape("pk-brows");
  const group = svg("g", {}, skin, eyes, iris, lips, mouth, brows, strokes);
  // An iris as wide as the eye is open, at most three tenths of its length.
  const disc = ([a, b, c, d, e, f]) => {
    const x = (a[0] + d[0]) / 2,
      y = (b[1] + c[1] + e[1] + f[1]) / 4;
    const r = Math.max(0.1, Math.min(0.16 * Math.abs(d[0] - a[0]), (e[1] + f[1] - b[1] - c[1]) / 4));
    return `M${x - r},${y}a${r},${r} 0 1 0 ${2 * r},0a${r},${r} 0 1 0 ${-2 * r},0`;
  };
  const draw = (points) => {
    const some = (members) => members.map((i) => points[i]);
    const rise = foreheadHeight((i) => points[i]),
      [left, right] = some([0, 16]);
    const top = Math.min(...some(range(17, 27)).map((p) => p[1])) - rise;
    const head = [-0.01, 0.12, 0.5, 0.88, 1.01].map((s, i) => [
      right[0] + s * (left[0] - right[0]),
      top + [0.52, 0.17, 0, 0.17, 0.52][i] * (right[1] - top),
    ]);
    skin.setAttribute("d", smooth([...some(range(0, 17)), ...head], true));
    eyes.setAttribute("d", smooth(some(range(36, 42)), true) + smooth(some(range(42, 48)), true));
    iris.setAttribute("d", disc(some(range(36, 42))) + disc(some(range(42, 48))));
    brows.setAttribute("d", smooth(some(range(17, 22))) + smooth(some(range(22, 27))));
    lips.setAttribute("d", smooth(some(range(48, 60)), true));
    mouth.setAttribute(
      "d",
      `M${some([48, 60, 61, 62, 54, 63, 64, 65])
        .map((p) => p.map((v) => v.toFixed(1)))
        .join("L")}Z`,
    );
    strokes.setAttribute("d", lines.map((members) => smooth(some(members))).join(""));
  };
  return { group, draw };
}

const longestVector = (vectors) => {
  let top = 0;
  for (let i = 0; i < vectors.length; i += 2) top = Math.max(top, Math.hypot(vectors[i], vectors[i + 1]));
  return top || 1;
};
// A stroke from each point along its vector.
const strokes = (points, vectors, scale) =>
  points
    .map(([x, y], i) =>
      Number.isFinite(vectors[2 * i])
        ? `M${x},${y}l${vectors[2 * i] * scale},${vectors[2 * i + 1] * scale}`
        : "",
    )
    .join("");
