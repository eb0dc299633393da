// A host that is deployed to again and again: systems come that cannot be reached, its listener changes each time, its store
// is emptied meanwhile, and a service goes together with its check.
import { writeNewKey } from "../../../src/bus/server/keys.ts";
import { join } from "node:path";
import {
  closeToNew,
  impatient,
  openNetwork,
  startDeployLab,
  whyNoFirewall,
  type Variant,
} from "../../support/lab/deploy-lab.ts";
import { daemon } from "../../support/lab/fake-systems.ts";
import type { Fault } from "../judge-build.ts";
import { createScenario } from "./scenario.ts";

export interface SteadyCounts {
  /** Deploys that change the listener. */
  readonly restarts: number;
  /** Deploys under a looping garbage collection. */
  readonly collected: number;
}

export interface SteadyResult {
  readonly faults: readonly Fault[];
  readonly restartSeconds: number;
  /** How often the store was emptied meanwhile. */
  readonly collections: number;
}

const natsPort = `$(sed -n 's|.*nats://[^"]*:\\([0-9]*\\)".*|\\1|p' /etc/homelab-deploy/listener.json)`;
const deaf = { listenerVersion: "deaf" };

/** The first system of a host, with a service and its check that no other has. */
export const checked: Variant = {
  policy: { healthChecks: [{ name: "old", unit: "old.service", timeout: 5 }] },
  wants: ["web.service", "old.service"],
  units: { "old.service": daemon("1") },
};

/** Each is undone, whoever notices it. */
export const unreachable = {
  "wrong address": { product: { ...deaf, nats: { servers: ["nats://127.0.0.1:1"] } } },
  "wrong name": { product: { ...deaf, nats: { servers: ["nats://nats.invalid:4222"] } } },
  "wrong key": {
    product: { ...deaf, keyFile: "/var/lib/wrong.nk" },
    hooks: { afterActivate: `${openNetwork}; install -o nobody -m 600 /lab/wrong.nk /var/lib/wrong.nk` },
  },
  "no network": { hooks: { end: "ip link set eth0 down" } },
  // In these two the listener is that of before, and its connection to NATS stays open.
  "firewall for new connections": { hooks: { afterActivate: `${openNetwork}; ${closeToNew}` } },
  "firewall for new connections to NATS": {
    hooks: {
      afterActivate: `${openNetwork}; ${closeToNew.replace("'tcp flags", `"tcp dport ${natsPort}" 'tcp flags`)}`,
    },
    policy: { timeouts: { ...impatient.timeouts, hold: 5 } },
  },
};

const numbered = (name: string, count: number, variant: (number: number) => Variant) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${name} ${index}`, variant(index)]));

export async function runSteadyScenarios(
  { restarts, collected }: SteadyCounts,
  say: (line: string) => void,
): Promise<SteadyResult> {
  await using lab = await startDeployLab({
    checked,
    plain: {},
    ...Object.fromEntries(
      Object.entries(unreachable).map(([name, variant]) => [name, { policy: impatient, ...variant }]),
    ),
    ...numbered("restart", restarts, (number) => ({ product: { listenerVersion: `restart ${number}` } })),
    // Without `keepDays` nothing but the profile and the order itself holds a closure.
    ...numbered("collected", collected, (number) => ({
      policy: { keepDays: 0, keepGenerations: 2 },
      ballastBytes: 100_000 + number,
    })),
  });
  const { host } = lab;
  await lab.spoken();

  const removal = createScenario("a service and its check go together", lab);
  await removal.deploy("plain", "completed");
  say("a service and its check are gone");

  const network = createScenario("a system that cannot be reached", lab);
  await writeNewKey(join(lab.lab.sharedDirectory, "wrong.nk"));
  const missing = whyNoFirewall();
  if (missing !== undefined) say(`firewalls are not tried: ${missing}`);
  for (const name of Object.keys(unreachable)) {
    if (missing !== undefined && name.startsWith("firewall")) continue;
    await network.deploy(name, "rolled-back", "UNCONFIRMED");
    say(`a system that cannot be reached: ${name}`);
  }

  const restarting = createScenario("deploys that change the listener", lab);
  const startedAt = performance.now();
  for (let number = 0; number < restarts; number++) await restarting.deploy(`restart ${number}`, "completed");
  const restartSeconds = Math.round((performance.now() - startedAt) / 1000);
  say(`${restarts} deploys that change the listener in ${restartSeconds} s`);

  const collecting = createScenario("deploys while the store is emptied", lab);
  const loop = "while :; do nix-store --gc >/dev/null 2>&1 && echo >> /run/collections; sleep 0.1; done";
  await host.run("systemd-run", "--unit=collecting", "--collect", "/bin/sh", "-c", loop);
  for (let number = 0; number < collected; number++) {
    await collecting.deploy(`collected ${number}`, "completed");
    if (number % 10 === 9) say(`${number + 1} of ${collected} deploys while the store is emptied`);
  }
  if ((await host.exec(["systemctl", "is-active", "collecting"])).exitCode !== 0) {
    collecting.wrong("nothing emptied the store any more");
  }
  const collections = (await host.readFile("/run/collections").catch(() => "")).length;
  if (collections === 0 && collected > 0) collecting.wrong("the store was never emptied");
  await host.run("systemctl", "stop", "collecting");

  const scenarios = [removal, network, restarting, collecting];
  return { faults: scenarios.flatMap(({ faults }) => faults), restartSeconds, collections };
}
