// SPDX-License-Identifier: MIT
// The inspector's page: asks the server for a session's graph about once a second and draws it.
//
// An answer to the same question is skipped by the server while nothing happens ("unchanged"), so an
// idle app costs nothing. All text goes in as text nodes: names and values are the app's.

const PERIOD_MS = 700;
const PATIENCE_MS = 2500; // then the session is said to be busy
const SVG = "http://www.w3.org/2000/svg";

const find = (id) => document.getElementById(id);
const asked = { session: "", filter: "", order: "runs", limit: "60", around: "", explain: "" };
let view = null;
let since = ""; // the events of the last answer to the present question
let isPaused = false;
let runsBefore = new Map();
let timer = 0;
let turn = 0; // of the newest question: answers to earlier ones are dropped

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  set(element, attributes);
  element.append(...children);
  return element;
}

function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  set(element, attributes);
  element.append(...children);
  return element;
}

function set(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) element.setAttribute(name, value);
  }
}

const short = (text, length) => (text.length > length ? text.slice(0, length - 1) + "…" : text);
const plural = (count, noun) => `${count} ${noun}${count === 1 ? "" : "s"}`;

function duration(seconds) {
  if (!seconds) return "";
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(seconds < 1e-5 ? 1 : 0)} µs`;
  return seconds < 1 ? `${(seconds * 1e3).toFixed(1)} ms` : `${seconds.toFixed(2)} s`;
}

// --- asking

async function fetchJson(path) {
  const controller = new AbortController();
  const limit = setTimeout(() => controller.abort(), PATIENCE_MS);
  try {
    const answer = await fetch(`/_lattice/inspect/${path}`, { signal: controller.signal });
    if (!answer.ok) return { failure: answer.status };
    return await answer.json();
  } catch (error) {
    return { failure: error.name === "AbortError" ? "busy" : "gone" };
  } finally {
    clearTimeout(limit);
  }
}

async function refresh() {
  clearTimeout(timer);
  const mine = ++turn;
  if (!isPaused && !document.hidden) await ask(mine);
  if (mine === turn) timer = setTimeout(refresh, PERIOD_MS);
}

async function ask(mine) {
  const { sessions, failure } = await fetchJson("sessions");
  if (mine !== turn) return;
  if (failure) return showState(false, "The server does not answer");
  showSessions(sessions);
  if (!asked.session) return showNothing();
  const { session, ...rest } = asked;
  const query = new URLSearchParams(Object.entries({ ...rest, since }).filter(([, v]) => v));
  const answer = await fetchJson(`session/${session}?${query}`);
  if (mine !== turn) return;
  if (answer.failure === 404) return forgetSession();
  if (answer.failure) return showState(false, "This session is busy: a handler of it is running");
  showState(true, isPaused ? "Paused" : "Recording");
  if (answer.unchanged) return;
  view = answer;
  since = String(view.events);
  showView();
}

function again() {
  since = "";
  runsBefore = new Map();
  refresh();
}

// --- sessions

function showSessions(sessions) {
  const select = find("session");
  sessions.sort((a, b) => Number(b.live) - Number(a.live) || a.id.localeCompare(b.id));
  const ids = sessions.map((session) => session.id + session.live).join();
  if (select.dataset.ids === ids) return;
  select.dataset.ids = ids;
  select.replaceChildren(
    ...sessions.map((session) =>
      make("option", { value: session.id }, `${session.path}  ${session.id.slice(0, 6)}  ` +
        (session.live ? browserOf(session.agent) : "not connected")),
    ),
  );
  if (!sessions.some((session) => session.id === asked.session)) {
    Object.assign(asked, { session: sessions[0]?.id ?? "", around: "", explain: "" });
    since = "";
  }
  select.value = asked.session;
}

function browserOf(agent) {
  const known = /(Edg|OPR|Firefox|Chrome|Safari)\//.exec(agent.replace("HeadlessChrome", "Chrome"));
  return known ? { Edg: "Edge", OPR: "Opera" }[known[1]] ?? known[1] : "a program";
}

function forgetSession() {
  asked.session = "";
  find("session").dataset.ids = "";
}

function showState(isOn, text) {
  const state = find("state");
  state.dataset.on = String(isOn);
  if (state.textContent !== text) state.textContent = text;
}

function showNothing() {
  view = null;
  showState(false, "No session");
  find("graph").replaceChildren(
    make("p", { class: "empty" }, "No page of this app is open. Open one in another tab: it shows here."),
  );
  find("rows").replaceChildren();
  find("counts").textContent = "";
  showDetails();
}

// --- the view

function showView() {
  const focused = document.activeElement?.closest?.("[data-focus]")?.dataset.focus;
  showGraph();
  showRows();
  showDetails();
  find("counts").textContent =
    `${view.nodes.length} of ${view.nodes_total} shown` +
    (view.matches < view.nodes_total ? `, ${view.matches} match` : "");
  find("whole").hidden = !asked.around;
  runsBefore = new Map(view.nodes.map((node) => [node.id, node.runs + node.changes]));
  if (focused) document.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
}

const ownerName = (node) => view.owners.find((owner) => owner.id === node.owner)?.name ?? "";

function showGraph() {
  if (!view.nodes.length) {
    find("graph").replaceChildren(
      make("p", { class: "empty" }, asked.filter ? "No name contains this." : "Nothing is here yet."),
    );
    return;
  }
  const at = new Map(view.nodes.map((node) => [node.id, node]));
  const width = Math.max(...view.nodes.map((node) => node.x)) + view.node_width + 14;
  const height = Math.max(...view.nodes.map((node) => node.y)) + view.node_height + 14;
  const svg = draw("svg", {
    width, height, viewBox: `0 0 ${width} ${height}`, role: "group",
    "aria-label": `Dependency graph: ${plural(view.nodes.length, "node")}, ` +
      `${plural(view.edges.length, "edge")}. Arrow keys follow the edges.`,
  });
  svg.append(
    ...view.edges.map((edge) => curve(at.get(edge.source), at.get(edge.reader))),
    ...view.nodes.map(box),
  );
  find("graph").replaceChildren(svg);
}

function curve(source, reader) {
  const [x1, y1] = [source.x + view.node_width, source.y + view.node_height / 2];
  const [x2, y2] = [reader.x, reader.y + view.node_height / 2];
  const bend = Math.max(24, (x2 - x1) / 2);
  const isNear = [source.id, reader.id].includes(asked.explain);
  return draw("path", {
    d: `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`, class: isNear && "near",
  });
}

function box(node) {
  const hasRun = runsBefore.has(node.id) && node.runs + node.changes > runsBefore.get(node.id);
  const label = [`${node.kind} ${node.name}`, node.value && `value ${node.value}`,
    node.runs && plural(node.runs, "run"), ...node.flags].filter(Boolean).join(", ");
  const corner = { signal: 9, memo: view.node_height / 2, effect: 0 }[node.kind];
  const [x, y] = [node.x, node.y];
  return draw("g", {
    class: [node.kind, ...node.flags, hasRun ? "ran" : ""].join(" "), tabindex: "0", role: "button",
    "data-focus": `box ${node.id}`, "data-id": node.id, "aria-label": label,
    "aria-pressed": String(node.id === asked.explain),
    onclick: () => choose(node.id),
    onkeydown: (event) => onBoxKey(event, node),
  },
    draw("title", {}, [label, node.site, ownerName(node) && `in ${ownerName(node)}`].filter(Boolean).join("\n")),
    draw("rect", { x, y, width: view.node_width, height: view.node_height, rx: corner }),
    draw("text", { x: x + 15, y: y + 20 }, short(node.name, node.runs ? 16 : 21)),
    draw("text", { class: "value", x: x + 15, y: y + 36 }, short(node.value, 21)),
    draw("text", { class: "runs", x: x + view.node_width - 14, y: y + 20 }, node.runs ? `×${node.runs}` : ""),
  );
}

function onBoxKey(event, node) {
  if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    return choose(node.id);
  }
  const next = neighbour(node, event.key);
  if (!next) return;
  event.preventDefault();
  document.querySelector(`[data-focus="${CSS.escape(`box ${next}`)}"]`)?.focus();
}

// Left and right follow the edges, up and down stay in the column.
function neighbour(node, key) {
  if (key === "ArrowLeft") return view.edges.find((edge) => edge.reader === node.id)?.source;
  if (key === "ArrowRight") return view.edges.find((edge) => edge.source === node.id)?.reader;
  if (key !== "ArrowUp" && key !== "ArrowDown") return undefined;
  const column = view.nodes.filter((other) => other.x === node.x).sort((a, b) => a.y - b.y);
  return column[column.indexOf(node) + (key === "ArrowDown" ? 1 : -1)]?.id;
}

function tags(node) {
  return node.flags.map((flag) => make("span", { class: `tag ${flag}` }, flag));
}

function showRows() {
  find("rows").replaceChildren(...view.nodes.map((node) =>
    make("tr", { "aria-selected": String(node.id === asked.explain) },
      make("td", {}, make("button", {
        type: "button", title: node.name, "data-focus": `row ${node.id}`, onclick: () => choose(node.id),
      }, node.name), ...tags(node)),
      make("td", { class: node.kind }, node.phase === "render" ? "effect (page)" : node.kind),
      make("td", { class: "number" }, String(node.runs || "")),
      make("td", { class: "number" }, String(node.changes || "")),
      make("td", { class: "number" }, duration(node.seconds_self)),
      make("td", {}, make("code", { title: node.value }, short(node.value, 32))),
      make("td", { class: "why" }, node.runs + node.changes ? node.why : ""),
    )));
}

// --- one node

function choose(id) {
  asked.explain = id;
  if (id) find("said").textContent = "";
  again();
}

function showDetails() {
  const told = asked.explain && view?.explained;
  const node = told && view.nodes.find((each) => each.id === told.id);
  find("around").hidden = !told || !told.alive || asked.around === asked.explain;
  if (!told) {
    find("chosen").replaceChildren(make("p", { class: "quiet" },
      "Choose a node in the graph or in the table: here it says what made it run last, " +
      "back to the write that began it."));
    return;
  }
  if (!told.alive) {
    find("chosen").replaceChildren(make("p", {}, "This node has ended, with what was recorded of it."));
    return;
  }
  find("chosen").replaceChildren(
    make("h3", {}, told.name, ...(node ? tags(node) : [])),
    make("p", {}, make("span", { class: told.kind }, told.kind),
      make("span", { class: "quiet" }, told.site ? `, ${told.site}` : "")),
    make("p", { id: "why" }, told.text),
    ...chain("How it came about", told.causes),
    ...chain("It is stale since", told.waiting),
    ...chain("Recomputed to an equal value", told.cut_offs),
    facts(told, node),
    ...neighbours("Reads", "reader", "source", told.id),
    ...neighbours("Is read by", "source", "reader", told.id),
  );
  const said = find("said");
  if (said.textContent !== told.text) said.textContent = told.text;
}

function facts(told, node) {
  const list = make("dl");
  const add = (term, value) => value && list.append(make("dt", {}, term), make("dd", {}, value));
  add("Value", told.value && make("code", {}, told.value));
  add("Runs", node && node.runs ? String(node.runs) : "");
  add("Changes", node && node.changes ? String(node.changes) : "");
  add("Last run", duration(told.seconds));
  add("All runs", node && duration(node.seconds));
  add("Without inner runs", node && duration(node.seconds_self));
  add("Longest", node && duration(node.seconds_longest));
  add("Made in", node && ownerName(node));
  return list;
}

function chain(title, causes) {
  return causes.length ? [make("h4", {}, title), causeList(causes)] : [];
}

function causeList(causes) {
  return make("ul", {}, ...causes.map((cause) =>
    make("li", {}, ...causeText(cause), ...(cause.causes.length ? [causeList(cause.causes)] : []))));
}

function causeText(cause) {
  const name = cause.id
    ? make("button", { type: "button", onclick: () => choose(cause.id) }, cause.name) : cause.name;
  const by = cause.by ? ` by ${cause.by}` : "";
  const change = cause.after
    ? make("span", { class: "change" }, " ", make("code", {}, cause.before || "?"), " → ",
        make("code", {}, cause.after)) : "";
  switch (cause.what) {
    case "write": return [name, ` was written${cause.site ? ` at ${cause.site}` : ""}${by}`, change];
    case "changed": return [name, " was recomputed", change];
    case "replaced": return ["the function of ", name, " was replaced"];
    case "first": return [`first run${by}`];
    case "unobserved": return [`read again${by}; unobserved, it had kept nothing`];
    case "asked": return ["it was scheduled"];
    default: return ["no longer in the recording"];
  }
}

function neighbours(title, mine, others, id) {
  const nodes = view.edges.filter((edge) => edge[mine] === id)
    .map((edge) => view.nodes.find((node) => node.id === edge[others]));
  if (!nodes.length) return [];
  return [make("h4", {}, title), make("ul", {}, ...nodes.slice(0, 50).map((node) =>
    make("li", {}, make("button", { type: "button", onclick: () => choose(node.id) }, node.name))))];
}

// --- controls

find("session").addEventListener("change", (event) => {
  Object.assign(asked, { session: event.target.value, around: "", explain: "" });
  again();
});
for (const name of ["order", "limit"]) {
  find(name).addEventListener("change", (event) => {
    asked[name] = event.target.value;
    again();
  });
}
let typing = 0;
find("filter").addEventListener("input", (event) => {
  asked.filter = event.target.value.trim();
  clearTimeout(typing);
  typing = setTimeout(again, 150);
});
find("pause").addEventListener("click", (event) => {
  isPaused = !isPaused;
  event.target.setAttribute("aria-pressed", String(isPaused));
  if (isPaused) showState(true, "Paused");
  else again();
});
find("around").addEventListener("click", () => {
  asked.around = asked.explain;
  again();
});
find("whole").addEventListener("click", () => {
  asked.around = "";
  again();
});
document.addEventListener("visibilitychange", () => document.hidden || refresh());
refresh();
