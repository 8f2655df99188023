"use strict";
// The live page. Everything from the program is put in as text, never as HTML.

const period = 1000; // ms between updates
const rowsMax = 1500; // rows of one loop
const history = 60; // points of a line
const rates = new Map(); // of a loop: its last numbers and its line
const open = new Set(); // stacks that are shown, by loop and task
const stacks = new Map(); // of a loop: from task to stack
let paused = false;
let last = null;

const by = (id) => document.getElementById(id);

function make(tag, className, text) {
  const e = document.createElement(tag);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

// span prints nanoseconds.
function span(ns) {
  const units = [[3600e9, "h"], [60e9, "m"], [1e9, "s"], [1e6, "ms"], [1e3, "µs"]];
  for (const [size, name] of units) {
    if (ns >= size) return (ns / size).toPrecision(3).replace(/\.?0+$/, "") + " " + name;
  }
  return ns > 0 ? ns + " ns" : "";
}

function big(n) {
  if (n >= 1e6) return (n / 1e6).toFixed(1) + "M";
  if (n >= 1e4) return (n / 1e3).toFixed(1) + "k";
  return String(Math.round(n));
}

function line(points) {
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  const path = document.createElementNS(ns, "path");
  const top = Math.max(...points, 1);
  svg.setAttribute("viewBox", `0 0 ${history - 1} 100`);
  svg.setAttribute("preserveAspectRatio", "none");
  path.setAttribute("d", points.map((p, i) =>
    `${i ? "L" : "M"}${i + history - points.length} ${97 - (94 * p) / top}`).join(" "));
  svg.append(path);
  return svg;
}

// rate gives the turns a second since the last update, and remembers it.
function rate(loop) {
  const now = Date.parse(loop.taken), turns = loop.statistics.Turns;
  let r = rates.get(loop.loop);
  if (!r) rates.set(loop.loop, (r = { points: [] }));
  if (r.at && now > r.at) {
    r.points.push(Math.max(0, (turns - r.turns) * 1000 / (now - r.at)));
    if (r.points.length > history) r.points.shift();
  }
  if (!r.at || now > r.at) { r.at = now; r.turns = turns; }
  return r.points;
}

function tile(value, name, warn) {
  const t = make("div", warn ? "tile warn" : "tile");
  t.append(make("b", "", big(value)), make("span", "", name));
  return t;
}

function tiles(loop) {
  const s = loop.statistics, all = make("div", "tiles"), points = rate(loop);
  const turns = tile(points.length ? points[points.length - 1] : 0, "turns a second");
  const graph = make("div", "tile");
  graph.append(line(points));
  all.append(tile(s.TasksLiving, "tasks"), tile(s.TasksParked, "waiting"), tile(s.TasksRunnable, "runnable"),
    tile(s.Descriptors, "descriptors"), tile(s.Timers, "timers"), tile(s.EntryQueue, "calls queued"),
    tile(s.Stalls, "stalls", s.Stalls > 0), turns, graph);
  return all;
}

function alarm(text, hint, stack) {
  const a = make("div", "alarm");
  a.append(make("p", "", text));
  if (hint) a.append(make("p", "", hint));
  if (stack) a.append(make("pre", "", stack));
  return a;
}

function alarms(loop) {
  const all = [];
  if (loop.held) {
    const h = loop.held, who = h.task ? "the task of " + h.task : "a callback";
    all.push(alarm(`The loop does not answer: ${who} holds it (${h.state}).`, h.hint, h.stack));
  }
  for (const cycle of loop.cycles || []) {
    const names = cycle.concat(cycle[0]).map((id) => {
      const t = loop.tasks.find((t) => t.id === id);
      return `task ${id} ${t ? t.name : ""}`;
    });
    all.push(alarm("Deadlock: " + names.join(" waits for ")));
  }
  return all;
}

// scope describes a scope in a few words.
function scope(s) {
  const words = [];
  if (s.has_deadline) {
    const d = s.deadline_ns || 0;
    words.push(d < 0 ? `deadline ${span(-d)} ago` : `deadline in ${span(d)}`);
  }
  if (s.shielded) words.push("shielded");
  return words;
}

function matches(t, words) {
  const text = `${t.id} ${t.name} ${t.function} ${t.state} ${t.label || ""} ${t.detail || ""}`.toLowerCase();
  return words.every((w) => text.includes(w));
}

// groups folds tasks that differ in nothing but number, age and detail.
function groups(tasks, owners) {
  const all = [], places = new Map();
  for (const t of tasks) {
    const key = [t.name, t.state, t.label, t.holder, t.cancelled, (t.scopes || []).length, t.stack].join("\n");
    const g = owners.has(t.id) ? undefined : places.get(key);
    if (g) { g.push(t); continue; }
    const made = [t];
    all.push(made);
    if (!owners.has(t.id)) places.set(key, made);
  }
  return all;
}

function cells(...all) {
  const r = make("div", "row");
  r.append(...all);
  return r;
}

function taskRow(loop, group, depth) {
  const t = group[0];
  const name = make("div", "name");
  name.style.paddingLeft = depth * 18 + "px";
  if (t.id) name.append(make("span", "id", t.id + " "));
  name.append(t.name);
  name.title = t.function;
  if (group.length > 1) name.append(make("span", "chip times", "× " + group.length));
  const what = make("div");
  what.append(make("span", t.state === "running" ? "chip running" : "chip", t.label || t.state));
  const details = [...new Set(group.map((t) => t.detail).filter(Boolean))];
  let detail = details.slice(0, 3).join("; ") + (details.length > 3 ? "; …" : "");
  if (t.holder) detail += ` held by task ${t.holder}`;
  what.append(make("span", "detail", detail));
  what.title = detail;
  const notes = make("div", "notes");
  if (t.refusals >= 1000) notes.append(make("span", "chip bad", "ignores its cancellation"));
  else if (t.cancelled) {
    const c = make("span", "chip bad", "cancelled");
    c.title = t.cancelled;
    notes.append(c);
  }
  for (const s of t.scopes || []) for (const w of scope(s)) notes.append(make("span", "chip", w));
  const longest = (key) => span(Math.max(...group.map((t) => t[key])));
  const row = cells(name, what, make("div", "number", longest("since_ns")), make("div", "number", longest("age_ns")), notes);
  const key = loop.loop + "/" + (t.id || t.stack);
  const stack = t.stack || (stacks.get(loop.loop) || new Map()).get(t.id);
  if (!stack) return [row];
  row.classList.add("click");
  row.addEventListener("click", () => { open.has(key) ? open.delete(key) : open.add(key); draw(); });
  return open.has(key) ? [row, make("pre", "", stack)] : [row];
}

function nurseryRow(n, depth) {
  const name = make("div", "name", n.name || "nursery");
  name.style.paddingLeft = depth * 18 + "px";
  const notes = make("div", "notes");
  for (const w of scope(n.scope)) notes.append(make("span", "chip", w));
  if (n.scope.cancelled) {
    const c = make("span", "chip bad", "cancelled");
    c.title = n.scope.cancelled;
    notes.append(c);
  }
  const row = cells(name, make("div", "detail", `${big(n.children)} of ${big(n.spawned)} tasks`),
    make("div"), make("div"), notes);
  row.classList.add("nursery");
  return row;
}

function rows(loop, words) {
  const all = make("div", "rows");
  const head = cells(make("div", "", "task"), make("div", "", "waits for"),
    make("div", "number", "for"), make("div", "number", "age"), make("div", "", "scopes"));
  head.classList.add("head");
  all.append(head);
  const inside = new Map(), owned = new Map();
  for (const t of loop.tasks) {
    if (!inside.has(t.nursery)) inside.set(t.nursery, []);
    inside.get(t.nursery).push(t);
  }
  for (const n of loop.nurseries || []) {
    const owner = n.owner || 0;
    if (!owned.has(owner)) owned.set(owner, []);
    owned.get(owner).push(n);
  }
  const list = [];
  const walk = (tasks, depth) => {
    for (const g of groups(tasks, owned)) {
      if (list.length > rowsMax) return;
      list.push(...taskRow(loop, g, depth));
      for (const n of (g[0].id && owned.get(g[0].id)) || []) walkNursery(n, depth + 1);
    }
  };
  const walkNursery = (n, depth) => {
    if (!n.children) return;
    list.push(nurseryRow(n, depth));
    walk(inside.get(n.id) || [], depth + 1);
  };
  if (words.length || loop.held) walk(loop.tasks.filter((t) => matches(t, words)), 0);
  else for (const n of owned.get(0) || []) walkNursery(n, 0);
  all.append(...list);
  if (loop.omitted) all.append(make("div", "more", `and ${big(loop.omitted)} more tasks`));
  return all;
}

function draw() {
  if (!last) return;
  by("program").textContent = `${last.program} · pid ${last.pid} · ${last.go} · ${last.goroutines} goroutines`;
  const words = by("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const all = last.loops.map((loop) => {
    const s = make("section"), title = make("div", "title");
    title.append(make("h2", "", "loop " + loop.loop),
      loop.held ? make("span", "held", "held") : make("span", "ok", loop.ended ? "ended" : "answers"));
    s.append(title, tiles(loop), ...alarms(loop), rows(loop, words));
    return s;
  });
  by("loops").replaceChildren(...(all.length ? all : [make("div", "empty", "No loop is running.")]));
}

async function get(path) {
  const r = await fetch(path, { cache: "no-store" });
  if (!r.ok) throw new Error(r.status);
  return r.json();
}

async function update() {
  try {
    if (!paused) {
      last = await get("tasks.json");
      draw();
      by("pulse").classList.add("on");
      setTimeout(() => by("pulse").classList.remove("on"), 50);
    }
    by("lost").hidden = true;
  } catch {
    by("lost").hidden = false;
  }
  setTimeout(update, period);
}

by("filter").addEventListener("input", draw);
by("pause").addEventListener("click", () => {
  paused = !paused;
  by("pause").setAttribute("aria-pressed", paused);
});
by("stacks").addEventListener("click", async () => {
  last = await get("stacks.json");
  for (const loop of last.loops) {
    stacks.set(loop.loop, new Map(loop.tasks.map((t) => [t.id, t.stack])));
  }
  draw();
});
update();
