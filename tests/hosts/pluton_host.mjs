// A host as Pluton is one: it describes, draws the fields, fills them with strings, tests, runs, stops, runs again.
//
// It reads its orders as JSON on standard input and tells what it saw as JSON lines on standard output. It needs Node alone.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";

const orders = JSON.parse(readFileSync(0, "utf8"));

const tell = (seen) => console.log(JSON.stringify(seen));

function insist(is, message) {
  if (!is) {
    console.error(`host: ${message}`);
    process.exit(1);
  }
}

/** Starts Charon, gives it a document, and tells each event as it comes. Standard input stays open, as a host may leave it. */
function charon(args, document, onEvent = () => {}) {
  return new Promise((resolve) => {
    const child = spawn(orders.charon, ["plugin", ...args], { stdio: ["pipe", "pipe", "pipe"] });
    const events = [];
    let text = "";
    child.stderr.on("data", (words) => (text += words));
    if (document) child.stdin.write(JSON.stringify(document));
    createInterface({ input: child.stdout }).on("line", (line) => {
      text += line;
      const event = JSON.parse(line);
      events.push(event);
      onEvent(event, child);
    });
    child.on("close", (code) => {
      for (const secret of orders.secrets) insist(!text.includes(secret), `a secret came out of ${args}: ${text}`);
      child.stdin.destroy();
      resolve({ code, events });
    });
  });
}

/** The form, as text: what Pluton draws of each field, the fields of the chosen kind of signing in first. */
function draw(pluton) {
  const shown = (field) => {
    const choices = field.options ? ` [${field.options.map((option) => option.label).join("|")}]` : "";
    return `${field.required ? "*" : " "} ${field.label} (${field.fieldType})${choices}: ${field.default}`;
  };
  const auth = pluton.settings.filter((field) => field.authFieldType === pluton.authTypes[0]);
  const advanced = pluton.settings.filter((field) => !field.authFieldType);
  return [...auth.map(shown), "Advanced Options", ...advanced.map(shown)];
}

/** What the form holds when it is sent: every value a string, and what rclone's providers all have. */
function filled(pluton, values) {
  const defaults = pluton.settings.map((field) => [field.value, String(field.default)]);
  const more = { encoding: "slash,crlf,invalidutf8,dot", description: "the family's photos" };
  return { ...Object.fromEntries(defaults), ...more, ...values };
}

const last = (events) => events[events.length - 1];

const described = await charon(["describe", "--provider", "gphotos"]);
insist(described.code === 0 && described.events.length === 1, "it does not describe itself");
const [{ protocol, providers }] = described.events;
insist(protocol === "charon-plugin/1", `it speaks ${protocol}`);
const { pluton } = providers[0];
tell({ step: "form", lines: draw(pluton) });

const right = filled(pluton, orders.values);
for (const [step, config] of [["test-wrong", { ...right, ...orders.wrong }], ["test-right", right]]) {
  const { code, events } = await charon(["test"], { provider: "gphotos", config });
  insist(last(events).type === "result", `the last event is ${JSON.stringify(last(events))}`);
  tell({ step, code, events });
}

// Pluton keeps settings and credentials apart.
const isCredential = (name) => pluton.settings.some((field) => field.value === name && field.authFieldType);
const part = (keep) => Object.fromEntries(Object.entries(right).filter(([name]) => keep(name)));
const record = {
  id: "st-1",
  name: "family",
  type: "gphotos",
  authType: pluton.authTypes[0],
  settings: part((name) => !isCredential(name)),
  credentials: part(isCredential),
};
const storage = { name: "family", provider: "gphotos", config: record };
const job = (plan) => ({ data_dir: orders.dataDir, storage, plan });

let stopped = false;
const steps = [
  ["backup-stopped", { name: "home", kind: "backup", destination: orders.mirror }],
  ["backup", { name: "home", kind: "backup", destination: orders.mirror }],
  ["upload", { name: "out", kind: "upload", sources: orders.pictures, album: "Album" }],
];
for (const [step, plan] of steps) {
  const { code, events } = await charon(["run"], job(plan), (event, child) => {
    if (step === "backup-stopped" && !stopped && event.type === "progress" && event.items.done > 0) {
      stopped = true;
      child.kill("SIGTERM");
    }
  });
  insist(["summary", "error"].includes(last(events).type), `the last event is ${JSON.stringify(last(events))}`);
  const counts = events.filter((event) => event.type === "progress").map((event) => event.items.done);
  tell({ step, code, counts, started: events.find((event) => event.type === "started"), last: last(events) });
}
