// What a report does besides being read: colours, copying, picking out a node, and drawing a stretch of the block tree.
"use strict";
(function () {
  const find = (id) => document.getElementById(id);

  // ---- colours: auto unless somebody chose
  const root = document.documentElement;
  const theme = document.querySelector(".theme");
  const choose = (value) => {
    if (value) root.dataset.theme = value; else delete root.dataset.theme;
  };
  let chosen = "";
  try { chosen = localStorage.getItem("tfl-report-theme") || ""; } catch { /* a page from a file may have no storage */ }
  choose(chosen);
  theme.hidden = false;
  for (const input of theme.querySelectorAll("input")) {
    input.checked = input.value === chosen;
    input.addEventListener("change", () => {
      choose(input.value);
      try { localStorage.setItem("tfl-report-theme", input.value); } catch { /* the same */ }
    });
  }

  // ---- commands, on the clipboard
  for (const copy of navigator.clipboard ? document.querySelectorAll("button.copy") : []) {
    const command = copy.previousElementSibling;
    copy.hidden = false;
    copy.addEventListener("click", () => {
      navigator.clipboard.writeText(command.textContent).then(
        () => { copy.textContent = "Copied"; },
        () => { getSelection().selectAllChildren(command); });
    });
  }

  // ---- a matrix: arrow keys go from cell to cell, a box leaves the passes out of the table
  const grid = find("grid");
  if (grid) grid.addEventListener("keydown", (event) => {
    const cell = event.target.closest("a.mark");
    if (!cell) return;
    const row = [...cell.parentElement.querySelectorAll("a.mark")], at = row.indexOf(cell);
    const rows = [...grid.querySelectorAll(".marks")], line = rows.indexOf(cell.parentElement);
    const other = (step) => { const to = rows[line + step]; return to && to.querySelectorAll("a.mark"); };
    const up = event.key === "ArrowUp" && other(-1), down = event.key === "ArrowDown" && other(1);
    const to = event.key === "ArrowLeft" ? row[at - 1] : event.key === "ArrowRight" ? row[at + 1] : event.key === "Home" ? row[0]
      : event.key === "End" ? row[row.length - 1] : (up || down) && (up || down)[Math.min(at, (up || down).length - 1)];
    if (!to) return;
    event.preventDefault();
    to.focus();
  });
  const passes = find("passes");
  const show = () => { document.body.classList.toggle("no-passes", !passes.checked); };
  // what a link leads to is never folded away
  const unfold = () => {
    const to = location.hash.length > 1 && find(decodeURIComponent(location.hash.slice(1)));
    if (to && to.classList.contains("passed")) { passes.checked = true; show(); }
    const details = to && to.querySelector("details");
    if (details) details.open = true;
    if (to) to.scrollIntoView();
  };
  if (passes) {
    passes.closest("label").hidden = false;
    passes.addEventListener("change", show);
    addEventListener("hashchange", unfold);
    unfold();
  }

  // ---- one node's lines among those of all
  const heights = find("chart-heights");
  for (const button of heights ? heights.querySelectorAll("button.node") : []) {
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(on));
      const picked = new Set();
      for (const one of heights.querySelectorAll('button.node[aria-pressed="true"]')) picked.add(one.dataset.node);
      heights.classList.toggle("picked", picked.size > 0);
      for (const path of heights.querySelectorAll("path[data-node]")) path.classList.toggle("on", picked.has(path.dataset.node));
    });
  }

  // ---- tables behind charts are printed, too
  addEventListener("beforeprint", () => { for (const one of document.querySelectorAll("details:not(.behind)")) one.open = true; });

  // ---- the block tree
  const data = find("tree-data") && JSON.parse(find("tree-data").textContent);
  if (!data) return;
  const MAIN = 1, CANONICAL = 2, FINAL = 4, WINDOW = 8, LOOSE = 16;
  const STEP = 30, LANE = 26, EDGE = 20, RADIUS = 7.5, COLOURS = 8;
  const n = data.row.length, rows = data.heights.length, SPAN = 120;
  const row = new Int32Array(n), up = new Int32Array(n), slot = new Float64Array(n), first = new Int32Array(rows + 2).fill(-1);
  for (let i = 0, r = 0, s = 0; i < n; i++) {
    row[i] = r += data.row[i];
    slot[i] = s += data.slot[i];
    up[i] = data.up[i] ? i - data.up[i] : -1;
    if (first[r] < 0) first[r] = i;
  }
  first[rows + 1] = n;
  const box = find("tree-box"), say = find("tree-say"), at = find("tree-at"), lens = find("tree-lens");
  const NS = "http://www.w3.org/2000/svg";
  let from = 1, now = -1, drawn = new Map();

  // Lanes of a stretch: the chain lies in lane 0, each branch in the first lane below that is free from where it leaves.
  function lanes(lo, hi) {
    const lane = new Map(), until = [];
    for (let i = first[lo]; i < first[hi + 1]; i++) {
      if (data.flag[i] & MAIN) { lane.set(i, 0); continue; }
      const parent = lane.get(up[i]);
      if (parent && until[parent].tip === up[i]) {
        lane.set(i, parent);
        until[parent] = { row: row[i], tip: i };
        continue;
      }
      let l = 1;
      while (until[l] && (until[l].row >= row[i] || until[l].row === row[i] - 1 && grows(until[l].tip, hi))) l++;
      lane.set(i, l);
      until[l] = { row: row[i], tip: i };
    }
    return lane;
  }
  // Is there a block upon this one within the stretch?
  function grows(i, hi) {
    for (let k = first[row[i] + 1]; row[i] < hi && k < first[row[i] + 2]; k++) if (up[k] === i) return true;
    return false;
  }

  function element(name, attributes, parent) {
    const e = document.createElementNS(NS, name);
    for (const key in attributes) e.setAttribute(key, attributes[key]);
    if (parent) parent.append(e);
    return e;
  }
  const told = (i) => `height ${data.flag[i] & LOOSE ? "unknown" : data.heights[row[i] - 1]}, slot ${slot[i]}, block ${data.id[i]}…`
    + (data.node[i] >= 0 ? `, first told by ${data.names[data.node[i]]}` : "") + `, at ${(data.t[i] / 1000).toFixed(1)} s`
    + `, ${data.tx[i]} transactions, ${data.flag[i] & MAIN ? "on the chain" : "off the chain"}`
    + (data.flag[i] & FINAL ? ", irreversible" : "") + (data.flag[i] & WINDOW ? "" : ", outside of the window");

  function draw(start) {
    from = Math.max(1, Math.min(start, Math.max(1, rows - SPAN + 1)));
    const hi = Math.min(rows, from + SPAN - 1), lane = lanes(from, hi);
    const width = EDGE * 2 + (hi - from) * STEP, height = 46 + LANE * Math.max(0, ...lane.values());
    const svg = element("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": `Blocks from height ${data.heights[from - 1]} to ${data.heights[hi - 1]}` });
    const edges = element("g", {}, svg), x = (i) => EDGE + (row[i] - from) * STEP, y = (i) => 16 + lane.get(i) * LANE;
    drawn = new Map();
    for (const [i] of lane) {
      if (lane.has(up[i])) {
        const [ax, ay, bx, by] = [x(up[i]), y(up[i]), x(i), y(i)];
        element("path", { class: data.flag[i] & MAIN ? "edge main" : "edge",
          d: ay === by ? `M${ax} ${ay}H${bx}` : `M${ax} ${ay}C${ax + STEP / 2} ${ay} ${ax + STEP / 3} ${by} ${bx} ${by}` }, edges);
      } else if (up[i] >= 0) {
        element("path", { class: "edge", d: `M${x(i) - EDGE} ${y(i)}H${x(i)}` }, edges);
      }
      const flag = data.flag[i];
      const dot = element("circle", { cx: x(i), cy: y(i), r: RADIUS, "data-block": i, "data-kind": flag & MAIN ? "main" : "fork",
        class: "blk" + (data.node[i] >= 0 ? ` c${data.node[i] % COLOURS}` : "") + (flag & FINAL ? " final" : "")
          + (flag & WINDOW ? " in" : " out") + (flag & CANONICAL ? " canonical" : "") + (flag & LOOSE ? " loose" : "") }, svg);
      element("title", {}, dot).textContent = told(i);
      drawn.set(i, dot);
    }
    for (let r = from; r <= hi; r++) {
      if (data.heights[r - 1] % 5 && r !== from) continue;
      element("text", { x: EDGE + (r - from) * STEP, y: height - 4, "text-anchor": "middle" }, svg).textContent = data.heights[r - 1];
    }
    box.replaceChildren(svg);
    at.value = from;
    if (drawn.has(now)) drawn.get(now).classList.add("now");
    const left = 12 + (from - 1) * 936 / rows;
    lens.setAttribute("x", left);
    lens.setAttribute("width", Math.max(2, (hi - from + 1) * 936 / rows));
    lens.toggleAttribute("hidden", rows <= SPAN);
  }

  function select(i) {
    if (i < 0 || i >= n) return;
    if (row[i] < from || row[i] > from + SPAN - 1) draw(row[i] - SPAN / 4 | 0);
    if (drawn.has(now)) drawn.get(now).classList.remove("now");
    now = i;
    const dot = drawn.get(i);
    dot.classList.add("now");
    say.textContent = told(i);
    const x = Number(dot.getAttribute("cx"));
    if (x < box.scrollLeft + 20 || x > box.scrollLeft + box.clientWidth - 20) box.scrollLeft = x - box.clientWidth / 2;
  }
  const top = (r) => first[Math.max(1, Math.min(rows, r))];
  const page = (r) => { draw(r); box.scrollLeft = 0; };
  function branch() {
    for (let i = Math.max(now, first[from] - 1) + 1; i < n; i++) if (!(data.flag[i] & MAIN) && (up[i] < 0 || data.flag[up[i]] & MAIN)) return select(i);
    say.textContent = "No further branch.";
  }
  const keys = {
    ArrowRight: () => select(now < 0 ? first[from] : top(row[now] + 1)),
    ArrowLeft: () => select(now < 0 ? first[from] : top(row[now] - 1)),
    ArrowDown: () => { if (now + 1 < n && row[now + 1] === row[now]) select(now + 1); },
    ArrowUp: () => { if (now > 0 && row[now - 1] === row[now]) select(now - 1); },
    Home: () => select(0), End: () => select(top(rows)),
    PageDown: () => select(top(row[Math.max(0, now)] + SPAN)), PageUp: () => select(top(row[Math.max(0, now)] - SPAN)),
  };
  box.addEventListener("keydown", (event) => {
    if (!keys[event.key] || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    keys[event.key]();
  });
  box.addEventListener("click", (event) => {
    const dot = event.target.closest("[data-block]");
    if (dot) select(Number(dot.dataset.block));
  });
  at.max = Math.max(1, rows - SPAN + 1);
  at.addEventListener("input", () => page(Number(at.value)));
  find("tree-first").addEventListener("click", () => page(1));
  find("tree-back").addEventListener("click", () => page(from - SPAN));
  find("tree-on").addEventListener("click", () => page(from + SPAN));
  find("tree-last").addEventListener("click", () => page(rows));
  find("tree-fork").addEventListener("click", branch);
  for (const link of document.querySelectorAll("[data-go]")) {
    link.addEventListener("click", () => select(top(data.heights.indexOf(Number(link.dataset.go)) + 1)));
  }
  const tools = document.querySelector(".tree-tools");
  tools.hidden = false;
  for (const control of tools.children) control.hidden = rows <= SPAN && control.id !== "tree-fork";
  draw(1);
})();
