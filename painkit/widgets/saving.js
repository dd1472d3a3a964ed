// Pictures as they stand on the page, saved as SVG or PNG; nothing leaves the page but into the user's folder.

const STYLES = [
  "fill",
  "fill-opacity",
  "stroke",
  "stroke-width",
  "stroke-opacity",
  "stroke-dasharray",
  "stroke-linejoin",
  "stroke-linecap",
  "font-family",
  "font-size",
  "font-weight",
  "opacity",
  "vector-effect",
];

// A copy of a picture that needs no style sheet.
function standalone(picture, x, y) {
  const copy = picture.cloneNode(true);
  const [from, to] = [picture, copy].map((node) => [node, ...node.querySelectorAll("*")]);
  from.forEach((node, i) => {
    const style = getComputedStyle(node);
    for (const name of STYLES) to[i].style.setProperty(name, style.getPropertyValue(name));
    if (style.display === "none") to[i].style.display = "none";
  });
  for (const name of ["class", "role", "aria-label", "style"]) copy.removeAttribute(name);
  return fill(copy, { x, y }, []);
}

function download(name, blob) {
  const link = html("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// Put blocks of pictures and lines of text into one picture. A block: {picture | lines, image, x, y}.
function assemble(blocks, width, height, root) {
  const style = getComputedStyle(root);
  const whole = svg(
    "svg",
    { xmlns: SVG, width, height, viewBox: `0 0 ${width} ${height}` },
    svg("rect", { width, height, fill: style.backgroundColor }),
  );
  for (const { picture, image, lines, x, y } of blocks) {
    if (image)
      whole.append(
        svg("image", {
          href: image.toDataURL("image/png"),
          x,
          y,
          width: image.clientWidth,
          height: image.clientHeight,
        }),
      );
    if (picture) whole.append(standalone(picture, x, y));
    (lines ?? []).forEach((words, i) =>
      whole.append(
        text(x, y + 14 + 18 * i, words, {
          fill: style.color,
          "font-family": style.fontFamily,
          "font-size": "13px",
        }),
      ),
    );
  }
  return new XMLSerializer().serializeToString(whole);
}

function saveSvg(name, source) {
  download(`${name}.svg`, new Blob([source], { type: "image/svg+xml" }));
}

async function savePng(name, source, width, height) {
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(source)}`;
  await picture.decode();
  const canvas = html("canvas", { width: 2 * width, height: 2 * height });
  canvas.getContext("2d").drawImage(picture, 0, 0, 2 * width, 2 * height);
  canvas.toBlob((blob) => download(`${name}.png`, blob), "image/png");
}
