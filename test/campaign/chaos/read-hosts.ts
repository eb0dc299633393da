// What hosts are like, seen from inside of them, and what NATS has of that.
import { setTimeout as sleep } from "node:timers/promises";
import type { DeployEvent } from "../../../src/protocol/deploy/deploy-events.ts";
import type { HostState } from "../../../src/protocol/deploy/host-state.ts";
import { unverifiedOrderOrNothing } from "../../../src/protocol/deploy/order.ts";
import type { FleetLab } from "../../support/lab/chain/fleet-lab.ts";
import { addressOf, memberNames, type Member } from "../../support/lab/chain/members.ts";
import { journalOf } from "../../support/lab/lab-journal.ts";
import type { HostRuns } from "../../support/lab/lab-host.ts";

export interface HostFacts {
  readonly runs: HostRuns;
  /** Where `/etc/static` has to lead. */
  readonly etc: string;
  readonly events: readonly DeployEvent[];
  /** The same as NATS has them. */
  readonly told: readonly DeployEvent[];
  readonly state: HostState | undefined;
  /** The newest order that is stored for it. */
  readonly newestOrder: string | undefined;
  readonly units: Readonly<Record<string, string>>;
  readonly isActivating: boolean;
  readonly failedUnits: readonly string[];
  readonly leftFiles: readonly string[];
}

/** How many events each host has told so far. */
export async function countEvents(lab: FleetLab): Promise<ReadonlyMap<Member, number>> {
  const counts = await Promise.all(
    memberNames.map(async (name): Promise<[Member, number]> => {
      const { lines } = await journalOf(lab.host(name)).catch(() => ({ lines: [] }));
      return [name, (lines.at(-1)?.event.index ?? -1) + 1];
    }),
  );
  return new Map(counts);
}

export async function readHost(lab: FleetLab, name: Member, fromIndex: number): Promise<HostFacts> {
  const host = lab.host(name);
  const signal = AbortSignal.timeout(60_000);
  const script = `
    readlink -f /run/current-system/etc
    for unit in web.service homelab-deploy-listener.service homelab-deploy-activate.socket homelab-deploy-activation.service; do
      systemctl is-active $unit
    done
    echo --
    systemctl list-units --state=failed --plain --no-legend | cut -d' ' -f1
    echo --
    ls -d /run/nixos/*-list /boot/loader/loader.tmp /boot/loader/entries/*.tmp 2>/dev/null || :`;
  const [first = "", failed = "", left = ""] = (await host.run("sh", "-c", script)).split("--\n");
  const [etc = "", web = "", listener = "", socket = "", activation = ""] = first.trim().split("\n");
  const wordsOf = (text: string): readonly string[] => text.split("\n").filter((line) => line !== "");
  const address = addressOf(name);
  const stored = await lab.bus.newestOrder(address, signal);
  const { lines } = await journalOf(host);
  return {
    runs: await host.runs(),
    etc,
    events: lines.map(({ event }) => event).filter(({ index }) => index >= fromIndex),
    told: await lab.bus.readDeployEvents(address, fromIndex, signal),
    state: await lab.bus.hostState(address, signal),
    newestOrder: stored === undefined ? undefined : unverifiedOrderOrNothing(stored.envelope)?.id,
    units: { web, listener, socket },
    isActivating: activation === "active" || activation === "activating",
    failedUnits: wordsOf(failed),
    leftFiles: wordsOf(left),
  };
}

/** Once it is at rest, or when it had time enough for that. */
export async function readHostAtRest(lab: FleetLab, name: Member, fromIndex: number): Promise<HostFacts> {
  const until = performance.now() + 120_000;
  for (;;) {
    const facts = await readHost(lab, name, fromIndex);
    if (judgeHost(name, facts).length === 0 || performance.now() > until) return facts;
    await sleep(1000);
  }
}

/** What must hold of a host at rest, whatever has happened to it. Pure. */
export function judgeHost(name: string, facts: HostFacts): readonly string[] {
  const { runs, etc, events, told, state, units, isActivating, failedUnits, leftFiles, newestOrder } = facts;
  const faults: string[] = [];
  const say = (what: string): void => void faults.push(`${name}: ${what}`);
  if (isActivating) say("it is still activating");
  if (runs.etc !== etc) say(`/etc is of ${runs.etc}, and runs ${runs.running}`);
  for (const place of ["permanent", "bootDefault"] as const) {
    if (runs[place] !== runs.running) say(`${place} is ${runs[place]}, and runs ${runs.running}`);
  }
  for (const [unit, is] of Object.entries(units)) if (is !== "active") say(`${unit} is ${is}`);
  if (failedUnits.length > 0) say(`failed: ${failedUnits.join(", ")}`);
  if (leftFiles.length > 0) say(`left: ${leftFiles.join(", ")}`);
  const placeOf = ({ index, type }: DeployEvent): string => `${index}:${type}`;
  if (JSON.stringify(told.map(placeOf)) !== JSON.stringify(events.map(placeOf))) {
    say(`NATS has ${told.map(placeOf).join(" ")}, and the journal ${events.map(placeOf).join(" ")}`);
  }
  if (state?.running.path !== runs.running) say(`it says that it runs ${state?.running.path}`);
  if (state?.permanent.path !== runs.permanent) say(`it says that it boots ${state?.permanent.path}`);
  if (state?.order !== undefined) say(`it says that it is ${state.order.phase}`);
  if (state !== undefined && state.drift.length > 0)
    say(`it says that it has drifted: ${state.drift.join()}`);
  const isSeen = newestOrder === undefined || events.some(({ order }) => order === newestOrder);
  if (!isSeen && events.length > 0) say(`it never took its newest order ${newestOrder}`);
  const open = events.filter(
    ({ order, type }) => type === "received" && !events.some((each) => isEnd(each) && each.order === order),
  );
  for (const { order } of open) say(`its order ${order} has no end`);
  return faults;
}

const isEnd = ({ type }: DeployEvent): boolean => type === "finished" || type === "rejected";
