// One deployment on a host with a real systemd, broken off at one point, and what the host has become then.
import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { DeployEvent } from "../../../src/protocol/deploy/deploy-events.ts";
import type { Order } from "../../../src/protocol/deploy/order.ts";
import { openNetwork, type DeployLab, type Variant } from "../../support/lab/deploy-lab.ts";
import { eventsOf } from "../../support/lab/lab-journal.ts";
import { checkoutInHost } from "../../support/lab/lab.ts";
import type { LabHost } from "../../support/lab/lab-host.ts";
import type { Fault } from "../judge-build.ts";
import type { CrashKind, CrashPoint } from "./crash-points.ts";
import { judgeHost } from "./judge-host.ts";

const units = {
  listener: "homelab-deploy-listener.service",
  activation: "homelab-deploy-activation.service",
} as const;
/** For what never comes; on a busy machine a boot takes long. */
const patienceMs = 150_000;

/** Shell that waits while a test holds it there. */
const holdHere = (name: string): string =>
  `if [ -e /run/hold-${name} ]; then touch /run/held-${name}; while [ -e /run/hold-${name} ]; do sleep 0.05; done; fi`;
const holding = (name: string, more: Variant = {}): Variant => ({
  version: "26.05.20261110.aaaaaaa",
  hooks: {
    afterEtc: holdHere(`switch-${name}`),
    afterActivate: openNetwork,
    beforeBootLoader: holdHere(`boot-${name}`),
  },
  ...more,
});
/** What the host of a lab needs for trials; it runs the first. */
export const crashVariants: Readonly<Record<string, Variant>> = {
  one: holding("one"),
  two: holding("two"),
  lying: holding("lying", { bootWritesNothing: true }),
};

const holdFile = "/var/lib/hold-line";

/** Once for each host: from then on its programs can be held behind a line of the journal. */
export async function prepareForCrashes({ host }: DeployLab): Promise<void> {
  const options = `NODE_OPTIONS=--import=${checkoutInHost}/test/support/lab/hold-at-line.ts`;
  await host.writeFile("/etc/systemd/system.conf.d/crash.conf", `[Manager]\nDefaultEnvironment=${options}\n`);
  await host.reboot();
}

export async function runCrashTrial(
  lab: DeployLab,
  point: CrashPoint,
  kind: CrashKind,
  random: () => number,
): Promise<readonly Fault[]> {
  const { host, orders, systems } = lab;
  const name = `${point.name}, ${kind}`;
  const before = await host.runs();
  const old = before.running === systems["one"] ? "one" : "two";
  const target = point.route === "undo" ? "lying" : old === "one" ? "two" : "one";
  const [hold, held] = holdFiles(point, target, old);
  await host.run("rm", "-f", held);
  await host.writeFile(hold, "line" in point.at ? point.at.line : "");

  const order = await orders.place(target, point.route === "boot" ? { action: "boot", reboot: true } : {});
  if (!(await isThere(host, held))) {
    const seen = (await eventsOf(host, order.id).catch(() => [])).map(({ type }) => type).join(" ");
    return [{ kind: "endless", build: name, what: `it never came there: ${seen}` }];
  }
  await crash(host, kind, hold);
  // Sometimes before another comes for it, and sometimes behind that.
  if (kind !== "power") await sleep(random() * 3000);
  await letGo(host, hold);
  await orders.end(order, patienceMs);
  // Up again, where it has rebooted.
  await host.boot();
  const path = systems[target] ?? "";
  const facts = await settledFacts(lab, order);
  return judgeHost({ name, outcome: point.outcomes[kind], target: path, before, ...facts });
}

/** A host that is killed on its way into a reboot is off for a moment, also between a look and what follows it. */
async function letGo(host: LabHost, hold: string): Promise<void> {
  const released = await host.exec(["rm", "-f", hold]).catch(() => undefined);
  if (released?.exitCode === 0) return;
  await host.boot();
  await host.run("rm", "-f", hold);
}

const holdFiles = ({ at }: CrashPoint, target: string, old: string): readonly [string, string] => {
  if ("line" in at) return [holdFile, "/run/held-line"];
  const places = {
    switching: `switch-${target}`,
    "boot-of-new": `boot-${target}`,
    "boot-of-old": `boot-${old}`,
  };
  return [`/run/hold-${places[at.place]}`, `/run/held-${places[at.place]}`];
};

/** While the host reboots there is no file of it. */
async function isThere(host: LabHost, file: string): Promise<boolean> {
  const until = performance.now() + patienceMs;
  while (performance.now() < until) {
    if (host.isUp() && existsSync(host.pathOf(file))) return true;
    await sleep(5);
  }
  return false;
}

async function crash(host: LabHost, kind: CrashKind, hold: string): Promise<void> {
  switch (kind) {
    case "listener":
      return host.killUnit(units.listener);
    case "activation":
      return host.killUnit(units.activation);
    case "both":
      await Promise.all([host.killUnit(units.listener), host.killUnit(units.activation)]);
      return;
    case "power":
      await host.powerCut();
      await host.runOff("rm", "-f", hold);
      await host.boot();
  }
}

/** What needs a moment may have it: the listener starts again, and tells NATS the rest. */
async function settledFacts(lab: DeployLab, order: Order) {
  const until = performance.now() + 60_000;
  for (;;) {
    const facts = await readFacts(lab, order);
    const isSettled =
      facts.told.length === facts.events.length &&
      Object.values(facts.units).every((state) => state === "active") &&
      !facts.isActivating;
    if (isSettled || performance.now() > until) return facts;
    await sleep(200);
  }
}

async function readFacts(lab: DeployLab, { id }: Order) {
  const { host } = lab;
  const stateOf = async (unit: string): Promise<string> =>
    (await host.exec(["systemctl", "is-active", unit])).stdout.trim();
  const lines = async (script: string): Promise<readonly string[]> =>
    (await host.run("sh", "-c", script)).split("\n").filter((line) => line !== "");
  const events: readonly DeployEvent[] = await eventsOf(host, id);
  const all = await lab.events(events[0]?.index ?? 0);
  return {
    after: await host.runs(),
    generations: (await lines("ls /nix/var/nix/profiles | sed -n 's/^system-\\([0-9]*\\)-link$/\\1/p'")).map(
      Number,
    ),
    events,
    told: all.filter(({ order }) => order === id),
    units: {
      "web.service": await stateOf("web.service"),
      [units.listener]: await stateOf(units.listener),
      "homelab-deploy-activate.socket": await stateOf("homelab-deploy-activate.socket"),
    },
    isActivating: (await stateOf(units.activation)) === "active",
    failedUnits: await lines("systemctl list-units --state=failed --plain --no-legend | cut -d' ' -f1"),
    leftFiles: await lines(
      "ls -d /run/nixos/*-list /boot/loader/loader.tmp /boot/loader/entries/*.tmp 2>/dev/null || :",
    ),
  };
}
