// Scripts the life of a build for tests: says only what matters and fills in the rest.
import { applyEvent, unknownBuild, type BuildState } from "../../src/protocol/build-state.ts";
import type { BuildEvent, EventBody, EventOf, FinishedHost, HostRef } from "../../src/protocol/events.ts";
import {
  parseBranchName,
  parseBuilderName,
  parseBuildId,
  parseCommit,
  parseHostName,
  parseRepoName,
  StorePath,
  type BuildId,
} from "../../src/protocol/names.ts";
import type { BuildProgress } from "../../src/protocol/progress.ts";
import type { BuildVerdict, HostVerdict } from "../../src/protocol/verdicts.ts";
import * as v from "valibot";

export const sampleBuild = parseBuildId("01JDB3K2M4N5P6Q7R8S9T0V1W2");
export const sampleCommit = parseCommit("9c41e7f2a8b3d4e5f60718293a4b5c6d7e8f9012");
export const scriptStart = "2026-11-23T14:08:58.000Z";

/** `web01`, or `nixos/web01` where there are several repos. */
export function hostRef(name: string): HostRef {
  const [first = "", second] = name.split("/");
  return second === undefined
    ? { repo: parseRepoName("nixos-servers"), host: parseHostName(first) }
    : { repo: parseRepoName(first), host: parseHostName(second) };
}

const hashOf = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "")
    .replace(/[eotu]/g, "x")
    .padEnd(32, "0")
    .slice(0, 32);

/** A store path that depends only on its name. */
export const storePath = (name: string): StorePath =>
  v.parse(StorePath, `/nix/store/${hashOf(name)}-${name}`);

export interface BuildScript {
  readonly id: BuildId;
  readonly events: readonly BuildEvent[];
  readonly state: BuildState;
  /** Lets time pass before the next event. */
  wait(milliseconds: number): BuildScript;
  /** Appends any event. */
  event(body: EventBody): BuildScript;
  accepted(hosts: readonly string[], more?: Partial<EventOf<"accepted">>): BuildScript;
  evaluated(...hosts: readonly string[]): BuildScript;
  building(...hosts: readonly string[]): BuildScript;
  derivationFailed(
    name: string,
    hosts: readonly string[],
    more?: Partial<EventOf<"derivation-failed">>,
  ): BuildScript;
  /** The same verdict for all of the hosts. */
  hostsFinished(verdict: HostVerdict, hosts: readonly string[], more?: Partial<FinishedHost>): BuildScript;
  finished(verdict: BuildVerdict, reason?: string): BuildScript;
}

/** Each step appends one event and gives the script back; times pass only where `wait` says so. */
export function scriptBuild(id: BuildId = sampleBuild, start = scriptStart): BuildScript {
  const events: BuildEvent[] = [];
  let state = unknownBuild(id);
  let elapsedMs = 0;
  const script: BuildScript = {
    id,
    events,
    get state() {
      return state;
    },
    wait(milliseconds) {
      elapsedMs += milliseconds;
      return script;
    },
    event(body) {
      const at = new Date(Date.parse(start) + elapsedMs).toISOString();
      const event: BuildEvent = { build: id, epoch: 1, index: events.length, at, ...body };
      events.push(event);
      state = applyEvent(state, event);
      return script;
    },
    accepted: (hosts, more = {}) =>
      script.event({
        type: "accepted",
        builder: parseBuilderName("cache"),
        priority: "interactive",
        trigger: "manual",
        sources: [...new Set(hosts.map((host) => hostRef(host).repo))].map((repo) => ({
          repo,
          branch: parseBranchName("main"),
          commit: sampleCommit,
        })),
        hosts: hosts.map(hostRef),
        skipped: [],
        ...more,
      }),
    evaluated: (...hosts) =>
      script.event({
        type: "evaluated",
        durationMs: 4000,
        hosts: hosts.map((host) => ({
          ...hostRef(host),
          drvPath: storePath(`nixos-system-${hostRef(host).host}.drv`),
          outPath: storePath(`nixos-system-${hostRef(host).host}`),
          remembered: false,
        })),
      }),
    building: (...hosts) => script.event({ type: "building", hosts: hosts.map(hostRef) }),
    derivationFailed: (name, hosts, more = {}) =>
      script.event({
        type: "derivation-failed",
        drvPath: storePath(`${name}.drv`),
        name,
        kind: "failed",
        reason: "builder failed with exit code 2",
        exitCode: 2,
        tail: [],
        hosts: hosts.map(hostRef),
        log: 3,
        ...more,
      }),
    hostsFinished: (verdict, hosts, more = {}) =>
      script.event({
        type: "hosts-finished",
        hosts: hosts.map((host) => ({ ...hostRef(host), verdict, durationMs: elapsedMs, ...more })),
      }),
    finished: (verdict, reason) =>
      script.event({
        type: "finished",
        verdict,
        durationMs: elapsedMs,
        reason,
      }),
  };
  return script;
}

/** A progress message that says nothing but what is given. */
export const progressOf = (progress: Partial<BuildProgress>): BuildProgress => ({
  build: sampleBuild,
  running: [],
  hosts: [],
  ...progress,
});
