// What has to be live. Every page works without it. Each behaviour is one function, and begins where its mark (a data attribute) is.
"use strict";

/** The token that every request which changes something carries. */
const csrf = () => document.querySelector('meta[name="csrf"]')?.content ?? "";

/** Asks before a form is sent whose consequences cannot be taken back: `<form data-confirm="…">`. */
function confirmBeforeSending(form) {
  form.addEventListener("submit", (event) => {
    if (!window.confirm(form.dataset.confirm)) event.preventDefault();
  });
}

document.querySelectorAll("form[data-confirm]").forEach(confirmBeforeSending);

// Whoever has sent a form hears at once what is wrong with it.
document.getElementById("mistakes")?.focus();

/** Shows that a form was sent and is waited for, by the words of its button (`data-doing`); it cannot be sent twice meanwhile. */
function showBusy(event) {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.ariaBusy === "true") return event.preventDefault();
  form.ariaBusy = "true";
  const button = event.submitter;
  const status = document.createElement("p");
  status.className = "soft doing";
  status.setAttribute("role", "status");
  (button?.closest(".actions") ?? button ?? form.lastElementChild).after(status);
  // What is sent with the button is put together before this, and most answers are there before the words.
  setTimeout(() => button && (button.disabled = true));
  const words = setTimeout(() => (status.textContent = button?.dataset.doing ?? "One moment…"), 400);
  // Whoever comes back to the page, or stays on it, may send it again.
  const over = () => {
    clearTimeout(words);
    status.remove();
    if (button) button.disabled = false;
    form.ariaBusy = null;
  };
  window.addEventListener("pageshow", over, { once: true });
  document.addEventListener("keydown", (key) => key.key === "Escape" && over(), { once: true });
}

document.addEventListener("submit", showBusy);

// What happens, as it happens. `<div data-live="…events address…" data-after="…last event that the page knows…">` listens; within it,
// `data-part` names what is taken anew from the server when something has happened, and `data-fact` what progress changes.

/** A size as people read it; as `words::bytes` has it. */
function bytesInWords(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  const units = ["kB", "MB", "GB", "TB", "PB"];
  let size = bytes / 1000;
  let unit = 0;
  while (size >= 999.5 && unit + 1 < units.length) {
    size /= 1000;
    unit += 1;
  }
  return `${size.toFixed(size < 9.95 ? 1 : 0)} ${units[unit]}`;
}

/** How long something takes, in its two largest units; as `words::duration` has it. */
function durationInWords(seconds) {
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  const two = (first, unit, second, smaller) => (second ? `${first} ${unit} ${second} ${smaller}` : `${first} ${unit}`);
  if (days) return two(days, "d", days < 10 ? hours : 0, "h");
  if (hours) return two(hours, "h", hours < 10 ? minutes : 0, "min");
  if (minutes) return two(minutes, "min", minutes < 10 ? seconds % 60 : 0, "s");
  return `${seconds} s`;
}

const countInWords = (count) => count.toLocaleString("en");

/** How far a run is, in one line; as `states::summary` has it. */
function summaryInWords(progress) {
  const { done, unchanged, skipped, failed } = progress.items;
  const found = `${countInWords(progress.found)} ${progress.found === 1 ? "item" : "items"}`;
  const parts = [`${countInWords(done + unchanged + skipped + failed)} of ${found}${progress.found_all ? "" : " found so far"}`];
  parts.push(bytesInWords(progress.bytes));
  if (progress.bytes_per_second !== null) parts.push(`${bytesInWords(progress.bytes_per_second)}/s`);
  if (progress.seconds_left !== null) parts.push(`about ${durationInWords(progress.seconds_left)} left (an estimate)`);
  return parts.join(" · ");
}

/** Sets a text where it is another one. */
function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** The bar of a run: it has a value only once everything has been found. */
function showBar(bar, progress) {
  if (!bar) return;
  if (progress.found_all && progress.found > 0) {
    const { done, unchanged, skipped, failed } = progress.items;
    bar.max = progress.found;
    bar.value = Math.min(progress.found, done + unchanged + skipped + failed);
    bar.setAttribute("aria-label", "Items that have come to an end");
  } else {
    bar.removeAttribute("value");
  }
}

/** The files that bytes are moved of now. */
function showCurrent(list, files) {
  if (!list) return;
  const rows = files.map((file) => {
    const [row, name, size] = [document.createElement("li"), document.createElement("span"), document.createElement("span")];
    name.textContent = file.name;
    size.className = "soft";
    size.textContent = file.of === null ? bytesInWords(file.bytes) : `${bytesInWords(file.bytes)} of ${bytesInWords(file.of)}`;
    row.append(name, " ", size);
    return row;
  });
  list.replaceChildren(...rows);
}

/** Shows how far a run is, wherever in the element that run is shown. */
function showProgress(element, { run, progress }) {
  const places = element.dataset.run === run ? [element] : element.querySelectorAll(`[data-run="${CSS.escape(run)}"]`);
  for (const place of places) {
    const fact = (name) => place.querySelector(`[data-fact="${name}"]`);
    setText(fact("summary"), summaryInWords(progress));
    showBar(fact("bar"), progress);
    for (const outcome of ["done", "unchanged", "skipped", "failed"]) setText(fact(outcome), countInWords(progress.items[outcome]));
    setText(fact("bytes"), bytesInWords(progress.bytes));
    setText(fact("waiting"), progress.waiting === null ? "" : `Waits for ${progress.waiting}`);
    showCurrent(fact("current"), progress.current);
    sayNowAndThen(fact("status"), summaryInWords(progress));
  }
}

/** Says something to those who listen to the page, every quarter of a minute at most. */
function sayNowAndThen(status, text) {
  const now = Date.now();
  if (!status || now - Number(status.dataset.said ?? 0) < 15000) return;
  status.dataset.said = String(now);
  setText(status, text);
}

/** Takes the parts of the page anew from the server, but for those that the keyboard is in. */
async function takeAnew(element) {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of element.querySelectorAll("[data-part]")) {
    const anew = page.querySelector(`[data-part="${CSS.escape(part.dataset.part)}"]`);
    if (!anew || part.innerHTML === anew.innerHTML || part.contains(document.activeElement)) continue;
    const open = [...part.querySelectorAll("details")].map((details) => details.open);
    part.replaceChildren(...document.importNode(anew, true).childNodes);
    part.querySelectorAll("details").forEach((details, place) => (details.open = open[place] ?? false));
    part.querySelectorAll("form[data-confirm]").forEach(confirmBeforeSending);
  }
}

/** Listens for as long as the page is seen: a browser has few connections to one place, and a page that nobody sees needs none. */
function listen(element) {
  let source = null;
  let timer = null;
  let after = element.dataset.after;
  const soon = () => {
    timer ??= setTimeout(() => {
      timer = null;
      takeAnew(element).catch(() => {});
    }, 400);
  };
  const happened = (event) => {
    after = event.lastEventId || after;
    soon();
  };
  const begin = () => {
    if (source || document.hidden) return;
    source = new EventSource(`${element.dataset.live}&after=${encodeURIComponent(after)}`);
    source.addEventListener("progress", (event) => showProgress(element, JSON.parse(event.data)));
    const kinds = ["queued", "started", "asked", "paused", "parked", "requeued"].map((kind) => `run.${kind}`);
    for (const kind of [...kinds, "plan.missed", "plan.overlapped", "plan.added", "plan.changed", "plan.paused", "plan.removed"]) {
      source.addEventListener(kind, happened);
    }
    source.addEventListener("run.ended", (event) => {
      happened(event);
      // The end of the run that the whole page is about: nothing more happens to it.
      if (element.dataset.run) end();
    });
  };
  const end = () => {
    source?.close();
    source = null;
  };
  document.addEventListener("visibilitychange", () => (document.hidden ? end() : begin()));
  window.addEventListener("pagehide", end);
  window.addEventListener("pageshow", begin);
  begin();
}

document.querySelectorAll("[data-live]").forEach(listen);

/** Shows of a preset's controls only those that belong to it: `<div data-often="daily weekly">`. */
function showPreset(presets) {
  const often = presets.querySelector('[name="often"]');
  const show = () =>
    presets.querySelectorAll("[data-often]").forEach((part) => {
      part.hidden = !part.dataset.often.split(" ").includes(often.value);
    });
  often.addEventListener("change", show);
  show();
}

document.querySelectorAll(".presets").forEach(showPreset);

/** Keeps saying what a schedule means while it is entered: `<div data-explain="/plans/explain">` within its form. */
function explainSchedule(panel) {
  const form = panel.closest("form");
  const group = panel.closest("fieldset") ?? form;
  let waiting, asked = 0;
  const ask = async () => {
    const mine = ++asked;
    const answer = await fetch(panel.dataset.explain, {
      method: "POST",
      headers: { "X-CSRF-Token": csrf() },
      body: new URLSearchParams(new FormData(form)),
    }).catch(() => undefined);
    const words = answer?.ok ? await answer.text() : undefined;
    // An older answer may come after a newer one.
    if (words !== undefined && mine === asked) panel.innerHTML = words;
  };
  group.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(ask, 300);
  });
}

document.querySelectorAll("[data-explain]").forEach(explainSchedule);
/** Shows the next page below this one when its link comes into sight: `<div data-more>` grows, `<a data-next>` leads on. */
function growInSight(list) {
  const sight = new IntersectionObserver(async (seen) => {
    const link = document.querySelector("a[data-next]");
    if (!link || !seen.some((one) => one.isIntersecting)) return;
    sight.unobserve(link);
    const answer = await fetch(link.href).catch(() => null);
    // Whatever goes wrong, the link is still a link.
    if (!answer?.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const [first, ...others] = page.querySelector("[data-more]")?.children ?? [];
    const [last, heading] = [list.lastElementChild, (section) => section?.querySelector("h2")?.textContent];
    // A month that the end of a page has cut in two is one again.
    if (first && last && heading(first) === heading(last)) {
      last.querySelector("ul").append(...first.querySelector("ul").children);
    } else if (first) {
      list.append(first);
    }
    list.append(...others);
    const further = page.querySelector("a[data-next]");
    if (further) {
      link.href = further.href;
      sight.observe(link);
    } else {
      link.remove();
    }
  }, { rootMargin: "600px" });
  const link = document.querySelector("a[data-next]");
  if (link) sight.observe(link);
}

document.querySelectorAll("[data-more]").forEach(growInSight);

/** Lets arrow keys go from picture to picture in a grid, and from item to item on a page of one (`<a data-key="ArrowLeft">`). */
document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  if (event.target.closest?.("input, select, textarea, [role=tablist]")) return;
  const link = document.querySelector(`a[data-key="${CSS.escape(event.key)}"]`);
  if (link) {
    link.click();
    return;
  }
  const picture = event.target.closest?.(".grid a");
  if (!picture) return;
  const pictures = [...document.querySelectorAll(".grid a")];
  const at = pictures.indexOf(picture);
  const top = (one) => one.getBoundingClientRect().top;
  const row = pictures.filter((one) => Math.abs(top(one) - top(picture)) < 2).length || 1;
  const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -row, ArrowDown: row }[event.key];
  if (step && pictures[at + step]) {
    event.preventDefault();
    pictures[at + step].focus();
  }
});

/** Draws one stage of a connection test, as the server does. */
function stage(check) {
  const words = { passed: ["good", "passed"], warned: ["warn", "take note"], failed: ["bad", "failed"] };
  const [kind, word] = words[check.verdict] ?? ["", check.verdict];
  const element = (name, text, kind) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };
  const item = element("li", undefined, kind);
  item.append(element("strong", check.stage), " ", element("span", word, `state ${kind}`), " ");
  item.append(element("span", `${check.milliseconds} ms`, "soft"), element("p", check.found));
  if (check.cure) item.append(element("p", `What to do: ${check.cure}`));
  if (check.link && /^https?:/.test(check.link)) {
    const link = element("a", check.link);
    Object.assign(link, { href: check.link, target: "_blank", rel: "noopener noreferrer" });
    const line = element("p");
    line.append(link);
    item.append(line);
  }
  return item;
}

/** What came of a test in one sentence, as the server says it. */
function sentence(checks) {
  const failed = checks.find((check) => check.verdict === "failed");
  if (failed) return `It does not work yet: “${failed.stage}” failed.`;
  if (checks.length === 0) return "The test ended before its first stage. Test again.";
  const warned = checks.some((check) => check.verdict === "warned");
  return warned ? "It works, and there is something to know." : "It works: every stage passed.";
}

/** Calls back with each line of an answer, as it comes. */
async function eachLine(response, act) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    const lines = (rest + (value ?? "")).split("\n");
    rest = done ? "" : lines.pop();
    lines.filter((line) => line.trim() !== "").forEach(act);
    if (done) return;
  }
}

/** Lets the stages of a connection test tick as they come: `<form data-test="ID">`, or one button of a form; ID is where they go. */
function testLive(mark) {
  const panel = document.getElementById(mark.dataset.test);
  const form = mark.form ?? mark;
  let running = null;
  const test = async (event) => {
    event?.preventDefault();
    running?.abort();
    const mine = (running = new AbortController());
    const verdict = document.createElement("p");
    verdict.className = "verdict working";
    verdict.textContent = "Testing the connection…";
    const list = document.createElement("ol");
    list.className = "stages";
    panel.replaceChildren(verdict, list);
    // The button may be at the end of a long form.
    panel.scrollIntoView({ block: "nearest" });
    const checks = [];
    try {
      const response = await fetch(mark.form ? mark.formAction : form.action, {
        method: "POST",
        body: new URLSearchParams(new FormData(form)),
        headers: { Accept: "application/x-ndjson", "X-CSRF-Token": csrf() },
        signal: mine.signal,
      });
      const isTold = response.ok && response.headers.get("Content-Type")?.startsWith("application/x-ndjson");
      // Signed out, for instance: the page that says so is better than half an answer.
      if (!isTold && event) return window.location.reload();
      if (!isTold) throw new Error(`HTTP ${response.status}`);
      await eachLine(response, (line) => {
        const check = JSON.parse(line);
        checks.push(check);
        list.append(stage(check));
        panel.scrollIntoView({ block: "nearest" });
      });
      verdict.textContent = sentence(checks);
      // What else the page says of the last test is another now.
      if (!mark.form) takeAnew(document.body).catch(() => {});
    } catch (error) {
      if (mine.signal.aborted) return;
      verdict.textContent = "Charon did not answer as it should. Test again.";
    }
    verdict.classList.remove("working");
  };
  mark.addEventListener(mark.form ? "click" : "submit", test);
  if ("begin" in mark.dataset) test();
}

document.querySelectorAll("[data-test]").forEach(testLive);
