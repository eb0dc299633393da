// A rollout as its log tells it, for tests of those who show one: 5 hosts in 3 waves.
import * as v from "valibot";
import { HostState } from "../../src/protocol/deploy/host-state.ts";
import type { HostName } from "../../src/protocol/names.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import type { RolloutEvent, RolloutId } from "../../src/protocol/rollout/rollout-events.ts";
import { foldRollout, type Rollout } from "../../src/protocol/rollout/rollout.ts";
import type { HostStates } from "../../src/words/rollout-waits.ts";
import { somePath } from "./deploy-orders.ts";
import { someHostState } from "./fake-deploy-bus.ts";
import { aRolloutEvent, aRolloutId, created, rolloutRepo, rolloutTime } from "./rollout-events.ts";

export const playedHosts = ["testvm01", "web01", "web02", "laptop", "gitea"] as const;

export interface PlayedRollout {
  readonly id: RolloutId;
  readonly events: readonly RolloutEvent[];
  /** Appends an event at a second after noon. */
  add(second: number, body: object): PlayedRollout;
  /** The canary is done and has soaked. */
  canary(): PlayedRollout;
  orders(second: number, ...hosts: readonly string[]): PlayedRollout;
  ends(second: number, host: string, result?: object): PlayedRollout;
  rollout(): Rollout;
}

const path = somePath("new");
const planned = {
  type: "planned",
  part: 0,
  parts: 1,
  waves: [{ name: "canary" }, { name: "prod" }, { name: "needed", oneByOne: true }],
  hosts: [
    { host: "testvm01", wave: 0, path, from: somePath("old"), fromCommit: "4be10a9".padEnd(40, "0") },
    { host: "web01", wave: 1, path, role: "web", fromCommit: "4be10a9".padEnd(40, "0") },
    { host: "web02", wave: 1, path, role: "web" },
    { host: "laptop", wave: 1, path, leftOut: "absent" },
    { host: "gitea", wave: 2, path, isNeeded: true, fromCommit: "4be10a9".padEnd(40, "0") },
  ],
};

/** Asked for by kai, and planned unless `changes` say otherwise. */
export function playRollout(
  changes: object = {},
  { id = aRolloutId(), isPlanned = true }: { readonly id?: RolloutId; readonly isPlanned?: boolean } = {},
): PlayedRollout {
  const events: RolloutEvent[] = [created(id, { hosts: playedHosts, ...changes })];
  const orders = new Map<string, string>();
  let ordered = 0;
  const played: PlayedRollout = {
    id,
    events,
    add(second, body) {
      events.push(aRolloutEvent(id, body, second));
      return played;
    },
    canary: () =>
      played
        .add(2, { type: "wave-started", wave: 0 })
        .orders(2, "testvm01")
        .ends(43, "testvm01")
        .add(43, { type: "soaking", wave: 0, until: rolloutTime(643) })
        .add(643, { type: "soaked", wave: 0 }),
    orders(second, ...hosts) {
      const body = hosts.map((host) => {
        orders.set(host, newBuildId(new Date(1_800_000_000_000 + ordered++)));
        return { host, order: orders.get(host), kind: "activate", path };
      });
      return played.add(second, { type: "ordered", orders: body });
    },
    ends: (second, host, result = {}) =>
      played.add(second, {
        type: "ended",
        results: [{ host, order: orders.get(host), outcome: "completed", ms: 41_000, ...result }],
      }),
    rollout() {
      const rollout = foldRollout(events);
      if (rollout === undefined) throw new Error("nobody created it");
      return rollout;
    },
  };
  return isPlanned ? played.add(1, planned) : played;
}

/** What hosts say at that second; those that are not named say nothing. */
export const playedStates = (second: number, hosts: Readonly<Record<string, object>> = {}): HostStates =>
  new Map(
    Object.entries(hosts).map(([host, changes]): [HostName, HostState] => {
      const state = someHostState({ repo: rolloutRepo, host, at: rolloutTime(second), ...changes });
      return [v.parse(HostState, state).host, state];
    }),
  );
