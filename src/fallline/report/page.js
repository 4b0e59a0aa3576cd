"use strict";
// What the page does by itself: draw a figure when it comes into view, switch time axis and theme, walk the paths.
(() => {
  const { figures, template, dark } = JSON.parse(document.getElementById("figures").textContent);
  const NARROW = 600;
  const PAPER_WIDTH = 690; // pixels that A4 has between the margins
  const plots = [...document.querySelectorAll(".plot")];
  const system = matchMedia("(prefers-color-scheme: dark)");
  const touch = matchMedia("(pointer: coarse)");
  const root = document.documentElement;
  const kept = { get: (k) => { try { return localStorage.getItem(k); } catch { return null; } },
                 set: (k, v) => { try { localStorage.setItem(k, v); } catch { /* a file may not be allowed to */ } } };
  let axis = "visits";
  let printing = false;
  const isDark = () => !printing && (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);

  // Figures are stored for light paper; every colour has a counterpart on dark.
  const painted = (value) =>
    typeof value === "string" ? (isDark() && dark[value]) || value
    : Array.isArray(value) ? value.map(painted)
    : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, painted(v)]))
    : value;

  const onAxis = (trace, x) => {
    const own = x[trace.meta.curve];
    return trace.meta.part === "band" ? own.concat([...own].reverse()) : trace.meta.part === "exit" ? own.slice(-1) : own;
  };

  const walkedTo = (figure, data, step) => {
    const play = figure.layout.meta.play;
    const heads = { x: [], y: [], z: [] };
    play.moving.forEach((index, path) => {
      const reach = play.reach[step][path];
      for (const key of ["x", "y", "z", "customdata"]) {
        if (!data[index][key]) continue;
        data[index][key] = data[index][key].slice(0, reach);
        if (heads[key]) heads[key].push(data[index][key][reach - 1]);
      }
    });
    for (const key of ["x", "y", "z"]) if (heads[key].length) data[play.head][key] = heads[key];
  };

  const draw = (div) => {
    const figure = figures[div.dataset.figure];
    const width = printing ? PAPER_WIDTH : div.clientWidth;
    if (!width || !window.Plotly) return;
    const data = painted(figure.data);
    const layout = painted(figure.layout);
    const meta = figure.layout.meta;
    const narrow = width < NARROW;
    layout.template = painted(template);
    layout.margin = { ...(meta.margin || layout.margin) };
    layout.height = meta.height || layout.height;
    layout.autosize = true;
    if (printing) { layout.width = width; layout.autosize = false; }
    if (meta.axes) {
      const chosen = meta.axes[axis];
      data.forEach((trace) => { if (trace.meta) trace.x = onAxis(trace, chosen.x); });
      chosen.marks.forEach((x, k) => { layout.annotations[k].x = x; });
      layout.xaxis = { ...layout.xaxis, ...painted(chosen.axis) };
      if (chosen.axis.tickmode === "auto") { delete layout.xaxis.tickvals; delete layout.xaxis.ticktext; }
    }
    if (meta.play && div.dataset.step) walkedTo(figure, data, Number(div.dataset.step));
    if (narrow) narrowed(layout, data, meta, width);
    if (touch.matches) layout.dragmode = layout.scene ? layout.dragmode : false;
    const config = { responsive: !printing, displaylogo: false, displayModeBar: touch.matches ? false : "hover",
                     modeBarButtons: [layout.scene ? ["toImage", "orbitRotation", "pan3d", "resetCameraDefault3d"]
                                                   : ["toImage", "zoom2d", "pan2d", "resetScale2d"]] };
    if (layout.scene && !webgl()) {
      div.innerHTML = '<p class="lost">A relief that turns needs WebGL, which this browser does not offer here. ' +
        "The contours above show the same surface.</p>";
      div.style.minHeight = "0";
      return;
    }
    if (layout.scene && div.camera) layout.scene = { ...layout.scene, camera: div.camera };
    window.Plotly.react(div, data, layout, config);
    div.dataset.drawn = "1";
    if (layout.scene && !div.watched) {
      div.watched = true;
      div.on("plotly_relayout", (change) => { if (change["scene.camera"]) div.camera = change["scene.camera"]; });
    }
  };

  // On a phone names do not fit at the ends of lines: a legend below takes their place.
  const narrowed = (layout, data, meta, width) => {
    if (meta.stack) { // two panels, one above the other
      const [upper, lower] = [[0.57, 1], [0, 0.43]];
      for (const [side, domain] of [["xaxis", [0, 1]], ["xaxis2", [0, 1]], ["yaxis", upper], ["yaxis2", lower]])
        layout[side] = { ...layout[side], domain };
      layout.height = 2 * width + 60;
    }
    if (layout.scene) {
      const { eye, ...camera } = layout.scene.camera;
      const far = Object.fromEntries(Object.entries(eye).map(([k, v]) => [k, v * 1.45]));
      layout.scene = { ...layout.scene, camera: { ...camera, eye: far } };
      for (const side of ["xaxis", "yaxis", "zaxis"]) {
        const title = { ...layout.scene[side].title, font: { size: 11 } };
        layout.scene[side] = { ...layout.scene[side], title, nticks: 4 };
      }
    }
    const names = (layout.annotations || []).filter((note) => note.name === "end").length;
    layout.annotations = (layout.annotations || []).filter((note) => note.name !== "end").map((note) =>
      ({ ...note, font: { ...note.font, size: 11 } }));
    layout.margin = { ...layout.margin, l: Math.min(layout.margin.l, 56), r: names ? 14 : layout.margin.r };
    if (names) {
      layout.showlegend = true;
      layout.legend = { ...layout.legend, orientation: "h", x: 0, xanchor: "left", y: -0.2, yanchor: "top", font: { ...(layout.legend || {}).font, size: 11 } };
      layout.height += 22 * data.filter((trace) => trace.showlegend !== false && trace.name).length;
      layout.margin.b += 22 * data.filter((trace) => trace.showlegend !== false && trace.name).length;
    }
    if (layout.xaxis && layout.xaxis.title && layout.xaxis.title.text)
      layout.xaxis.title = { ...layout.xaxis.title, text: layout.xaxis.title.text.replace("; the start at the left edge", "") };
    if (layout.xaxis && layout.xaxis.tickmode !== "array" && !layout.xaxis.tickvals) layout.xaxis.nticks = 5;
  };

  let canWebgl;
  const webgl = () => {
    if (canWebgl === undefined) {
      const canvas = document.createElement("canvas");
      const context = canvas.getContext("webgl");
      canWebgl = Boolean(context);
      const end = context && context.getExtension("WEBGL_lose_context");
      if (end) end.loseContext();
    }
    return canWebgl;
  };

  const visible = (div) => div.offsetParent !== null;
  const redraw = () => plots.forEach((div) => { if (div.dataset.drawn) draw(div); });
  const seen = new IntersectionObserver((entries) => entries.forEach((entry) => {
    if (entry.isIntersecting && !entry.target.dataset.drawn) draw(entry.target);
  }), { rootMargin: "300px" });
  plots.forEach((div) => seen.observe(div));

  document.getElementById("axis").addEventListener("change", (event) => { axis = event.target.value; redraw(); });

  const toggle = document.getElementById("theme");
  const label = () => { toggle.textContent = isDark() ? "Light" : "Dark"; };
  if (["light", "dark"].includes(kept.get("fallline-theme"))) root.dataset.theme = kept.get("fallline-theme");
  toggle.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    kept.set("fallline-theme", root.dataset.theme);
    label(); redraw();
  });
  system.addEventListener("change", () => { label(); redraw(); });
  label();

  // A wide figure becomes a narrow one, or the other way round, when a phone is turned.
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (printing || (width < NARROW + 40) === (window.innerWidth < NARROW + 40)) return;
    width = window.innerWidth;
    redraw();
  });

  const walk = (input, step) => {
    input.value = step;
    const div = plots.find((plot) => plot.dataset.figure === input.dataset.walk);
    input.closest("label").querySelector("output").textContent = figures[input.dataset.walk].layout.meta.play.names[step];
    div.dataset.step = step;
    draw(div);
  };
  document.querySelectorAll("[data-walk]").forEach((input) =>
    input.addEventListener("input", () => walk(input, Number(input.value))));
  document.querySelectorAll("[data-play]").forEach((button) => button.addEventListener("click", () => {
    const input = document.querySelector(`[data-walk="${button.dataset.play}"]`);
    if (button.timer) { clearInterval(button.timer); button.timer = null; button.textContent = "Play"; return; }
    let step = Number(input.value) >= Number(input.max) ? 0 : Number(input.value);
    button.textContent = "Pause";
    button.timer = setInterval(() => {
      walk(input, step);
      if (step >= Number(input.max)) { clearInterval(button.timer); button.timer = null; button.textContent = "Play"; }
      step += 1;
    }, 110);
  }));

  document.querySelectorAll("[data-copy]").forEach((button) => button.addEventListener("click", async () => {
    const code = button.closest(".code").querySelector("code");
    try { await navigator.clipboard.writeText(code.textContent); button.textContent = "Copied"; }
    catch { getSelection().selectAllChildren(code); button.textContent = "Selected"; }
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  }));

  // Paper is white, shows everything, and has its own width.
  let closed = [];
  window.addEventListener("beforeprint", () => {
    printing = true;
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((part) => { part.open = true; });
    plots.forEach(draw);
  });
  window.addEventListener("afterprint", () => {
    printing = false;
    plots.forEach((div) => { if (visible(div)) draw(div); });
    closed.forEach((part) => { part.open = false; });
  });
})();
