// Keeps the page fresh: at every change it asks for itself anew, and puts in what differs. Without it, people reload.
"use strict";

const PAUSE = 1000; // milliseconds between two refreshes, however much happens
const byId = (id) => document.getElementById(id);
const place = () => location.pathname + location.search;
let stream = null;
let refreshing = false;
let again = false;
let spoken = newest();

// ---- ages, by the rule of render.age

function age(when) {
  const delta = (Date.now() - when) / 1000;
  const distance = Math.abs(delta);
  if (distance < 5) return delta >= 0 ? "just now" : "now";
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const [size, name] = units.find(([seconds]) => distance >= seconds);
  const amount = `${Math.floor(distance / size)} ${name}`;
  return delta >= 0 ? `${amount} ago` : `in ${amount}`;
}

function showAges() {
  for (const time of document.querySelectorAll("time")) {
    const text = age(Date.parse(time.dateTime));
    if (time.textContent !== text) time.textContent = text;
  }
}

// ---- putting in what differs

function busy(element) {
  // Somebody types in it, or is about to confirm something: it is left alone until that is over.
  const active = document.activeElement;
  const types = active && element.contains(active) && active.matches("input") && active.value !== "";
  return types || element.querySelector("details[open]") !== null;
}

function replace(old, fresh) {
  const focused = old.contains(document.activeElement) ? document.activeElement.id : null;
  old.replaceWith(fresh);
  if (focused === null) return;
  // A button that is gone has made room for its opposite, in the same place.
  const next = (focused && byId(focused)) || fresh.querySelector("button, a") || byId("main");
  next.focus({ preventScroll: true });
}

function put(list, child, next) {
  // What is moved loses the focus on the way.
  const focused = child.contains(document.activeElement) ? document.activeElement : null;
  list.insertBefore(child, next);
  if (focused) focused.focus({ preventScroll: true });
}

function mergeKeyed(list, fresh) {
  const wanted = new Set([...fresh.children].map((child) => child.id));
  for (const child of [...list.children]) if (!wanted.has(child.id)) child.remove();
  const old = new Map([...list.children].map((child) => [child.id, child]));
  let next = list.firstElementChild;
  for (const child of [...fresh.children]) {
    const known = old.get(child.id);
    const inPlace = known !== undefined && known === next;
    if (inPlace) next = next.nextElementSibling;
    const stays = known && (known.dataset.v === child.dataset.v || busy(known));
    if (known && !stays) replace(known, child);
    if (!inPlace) put(list, stays ? known : child, next);
  }
}

function mergeWhole(part, fresh) {
  const plain = (element) => element.innerHTML.replace(/(<time[^>]*>)[^<]*/g, "$1");
  if (plain(part) !== plain(fresh) && !busy(part)) replace(part, fresh);
}

function merge(fresh) {
  for (const list of document.querySelectorAll("[data-keyed]")) {
    const other = fresh.getElementById(list.id);
    if (other) mergeKeyed(list, other);
  }
  for (const part of document.querySelectorAll("[data-whole]")) {
    const other = fresh.getElementById(part.id);
    if (other) mergeWhole(part, other);
  }
  const notices = fresh.getElementById("notices");
  if (notices && notices.children.length) byId("notices").replaceChildren(...notices.children);
  const reasons = fresh.getElementById("reasons");
  if (reasons && byId("reasons") && reasons.textContent !== byId("reasons").textContent) {
    byId("reasons").replaceChildren(...reasons.children);
  }
  showAges();
  filter();
  say();
}

function newest() {
  const first = document.querySelector("#entries > li[data-said]");
  return first ? first.dataset.said : "";
}

function say() {
  const text = newest();
  if (text !== spoken) byId("said").textContent = text;
  spoken = text;
}

// ---- asking anew

async function show(answer) {
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!fresh.body.hasAttribute("data-live")) {
    // Signed out, or the receiver says why not: whatever it is, people should see it.
    location.reload();
    return;
  }
  merge(fresh);
}

async function refresh() {
  if (refreshing) {
    again = true;
    return;
  }
  refreshing = true;
  try {
    const address = new URL(location.href);
    address.searchParams.delete("q"); // all rows: the filter is applied here
    await show(await fetch(address.pathname + address.search, { cache: "no-store" }));
  } catch {
    tell(false);
  }
  setTimeout(() => {
    refreshing = false;
    if (again) {
      again = false;
      refresh();
    }
  }, PAUSE);
}

function tell(isLive) {
  const live = byId("live");
  live.hidden = false;
  live.classList.toggle("off", !isLive);
  live.textContent = isLive ? "live" : "not live";
}

function follow() {
  if (stream || document.hidden || new URLSearchParams(location.search).has("before")) return;
  stream = new EventSource("/stream");
  stream.addEventListener("open", () => tell(true));
  stream.addEventListener("changed", refresh);
  stream.addEventListener("error", () => {
    tell(false);
    if (stream.readyState === EventSource.CLOSED) {
      stream = null;
      setTimeout(follow, 15000);
      refresh();
    }
  });
}

// A browser has few connections to one host: a page that nobody looks at gives its own back.
function look() {
  if (!document.hidden) {
    follow();
  } else if (stream) {
    stream.close();
    stream = null;
  }
}

// ---- the filter, and what people ask for, without leaving the page

function filter() {
  const box = byId("q");
  if (!box) return;
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of byId("rows").children) {
    row.hidden = !words.every((word) => row.dataset.words.includes(word));
    shown += !row.hidden;
  }
  byId("empty").hidden = shown > 0;
  for (const link of document.querySelectorAll("#counts a")) {
    const own = new URL(link.href).searchParams.get("q") || "";
    if (own === words.join(" ")) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

function filterBy(words) {
  byId("q").value = words;
  history.replaceState(null, "", words ? `/?q=${encodeURIComponent(words)}` : "/");
  filter();
}

async function act(form, button) {
  if (button.getAttribute("aria-disabled") === "true") return;
  const fields = new FormData(form, button);
  fields.set("back", place());
  button.setAttribute("aria-disabled", "true"); // a disabled one would lose the focus
  try {
    await show(await fetch(form.action, { method: "POST", body: new URLSearchParams(fields) }));
  } catch {
    tell(false);
  }
  button.removeAttribute("aria-disabled");
}

document.addEventListener("submit", (event) => {
  if (event.target.id === "act" && event.submitter) {
    event.preventDefault();
    for (const open of document.querySelectorAll("details[open]")) {
      if (open.contains(event.submitter)) open.open = false;
    }
    act(event.target, event.submitter);
  } else if (event.target.matches(".filter")) {
    event.preventDefault();
  }
});

const box = byId("q");
if (box) {
  box.addEventListener("input", () => filterBy(box.value));
  document.querySelector(".filter button").hidden = true;
  document.addEventListener("click", (event) => {
    const link = event.target.closest("#counts a, #empty a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    filterBy(new URL(link.href).searchParams.get("q") || "");
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.matches("input")) {
      event.preventDefault();
      box.focus();
    }
  });
  if (box.value) refresh(); // only some rows came; the others are needed when the filter goes
}

document.addEventListener("visibilitychange", look);
window.addEventListener("pagehide", () => stream && stream.close());
setInterval(showAges, 10000);
filter();
look();
