// Draws the figures in the colours of the page, and saves them with their titles.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const figures = read("figures");
  const templates = read("templates");
  const isDark = window.matchMedia("(prefers-color-scheme: dark)");
  const config = { responsive: true, displaylogo: false, showSendToCloud: false, modeBarButtonsToRemove: ["toImage"] };
  // Ink on a light page, and what it is on a dark one.
  const ink = {
    "#332288": "#9a8cf0", "#117733": "#4db36f", "#882255": "#d0699f", "#0072B2": "#4aa3df", "#222": "#e4e6e9", "#333": "#d5d9dd", "#444": "#c3c8ce", "#555": "#b3b9c0", "#777": "#9aa1a9", "#888": "#9aa1a9",
    "#000": "#ffffff", "#000000": "#ffffff", "rgba(255,255,255,0.8)": "rgba(20,23,26,0.8)",
    "rgba(90,90,90,0.45)": "rgba(190,190,190,0.5)",
  };
  const inDark = (value) => {
    if (typeof value === "string") return Object.hasOwn(ink, value) ? ink[value] : value;
    if (Array.isArray(value)) return value.map(inDark);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inDark(one)]));
    }
    return value;
  };
  const themed = (figure, dark) => {
    const { data, layout, frames } = dark ? inDark(figure) : structuredClone(figure);
    return { data, layout: { ...layout, template: templates[dark ? "plotly_dark" : "plotly_white"] }, frames };
  };
  // Room below for the names of the traces: as many lines as they take in this width.
  const fitted = (figure, width) => {
    const { legend, layout } = figure;
    if (!legend?.px) return figure;
    const inLine = Math.max(1, Math.floor((width - 80) / legend.name_px));
    const spare = Math.max(0, legend.px - legend.line_px * Math.ceil(legend.names / inLine));
    const margin = { ...layout.margin, b: layout.margin.b - spare };
    return { ...figure, layout: { ...layout, margin, height: layout.height - spare } };
  };
  const draw = (plot, dark, width) => {
    const { data, layout, frames } = themed(fitted(figures[plot.dataset.figure], width ?? plot.clientWidth), dark);
    if (layout.height) plot.style.height = `${layout.height}px`;
    Plotly.newPlot(plot, data, width ? { ...layout, width } : layout, config);
    if (frames.length) Plotly.addFrames(plot, frames);
  };
  const plots = [...document.querySelectorAll(".plotly-graph-div")];

  // One after the other, so that the page can be read and scrolled meanwhile.
  const next = () => {
    const plot = plots.find((one) => !one.dataset.drawn);
    if (!plot) return;
    plot.dataset.drawn = "yes";
    draw(plot, isDark.matches);
    setTimeout(next);
  };
  setTimeout(next);
  const again = (dark, width) => plots.forEach((plot) => plot.dataset.drawn && draw(plot, dark, width));
  isDark.addEventListener("change", () => again(isDark.matches));
  let resized;
  const refit = () => plots.forEach((plot) => {
    const { layout } = fitted(figures[plot.dataset.figure], plot.clientWidth);
    if (!plot.dataset.drawn || !layout.height || layout.height === plot.layout.height) return;
    plot.style.height = `${layout.height}px`;
    Plotly.relayout(plot, { height: layout.height, "margin.b": layout.margin.b });
  });
  window.addEventListener("resize", () => {
    clearTimeout(resized);
    resized = setTimeout(refit, 150);
  });
  window.addEventListener("beforeprint", () => {
    document.querySelectorAll("details.parameters").forEach((one) => (one.open = true));
    again(false, 680);
  });
  window.addEventListener("afterprint", () => again(isDark.matches));

  document.querySelectorAll("button.save").forEach((button) => {
    button.addEventListener("click", () => {
      const plot = button.closest("figure").querySelector(".plotly-graph-div");
      const { title, cut } = figures[plot.dataset.figure];
      const { data, layout } = themed({ ...figures[plot.dataset.figure], data: plot.data, layout: plot.layout }, false);
      const height = plot.clientHeight + cut;
      const margin = { ...layout.margin, t: (layout.margin?.t ?? 100) + cut };
      const whole = { ...layout, title, margin, height, width: plot.clientWidth, paper_bgcolor: "#fff" };
      Plotly.downloadImage(
        { data, layout: whole },
        { format: "svg", filename: button.dataset.file, width: plot.clientWidth, height },
      );
    });
  });
})();
