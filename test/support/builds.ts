// Builds, events and log chunks for tests, with everything that a test does not care about filled in.
import type { BuilderStatus } from "../../src/protocol/builder-status.ts";
import type { BuildEvent, EventBody } from "../../src/protocol/events.ts";
import type { LogChunk } from "../../src/protocol/log-chunk.ts";
import {
  parseBuilderName,
  parseCommit,
  parseHostName,
  parseRepoName,
  type BuildId,
} from "../../src/protocol/names.ts";
import { newBuildId } from "../../src/protocol/ulid.ts";
import type { UpdateEvent } from "../../src/protocol/update-events.ts";

export const aBuildId = (): BuildId => newBuildId(new Date());

export const accepted: EventBody = {
  type: "accepted",
  builder: parseBuilderName("b1"),
  priority: "interactive",
  trigger: "manual",
  sources: [],
  hosts: [{ repo: parseRepoName("servers"), host: parseHostName("web1") }],
  skipped: [],
};
export const finished: EventBody = { type: "finished", verdict: "succeeded", durationMs: 1 };
export const warning = (message: string): EventBody => ({ type: "warning", message });

export const anEvent = (build: BuildId, index: number, body: EventBody, epoch = 1): BuildEvent => ({
  build,
  epoch,
  index,
  at: "2026-01-01T00:00:00.000Z",
  ...body,
});

export const aChunk = (build: BuildId, log: number, index: number, text: string): LogChunk => ({
  build,
  log,
  index,
  drvPath: "/nix/store/00000000000000000000000000000000-hello.drv",
  kind: "live",
  dropped: 0,
  text,
});

export const aStatus = (builder: string, at: string): BuilderStatus => ({
  name: parseBuilderName(builder),
  version: "0.1.0",
  nixVersion: "2.8.0",
  systems: ["x86_64-linux"],
  repos: [parseRepoName("servers")],
  at,
  startedAt: at,
  evaluationSlots: 2,
  builds: [],
});

export const anUpdateEvent: UpdateEvent = {
  repo: parseRepoName("servers"),
  run: "01M86R3C5XK0V7Q2S8T9W4Y6ZA",
  outcome: "landed",
  at: "2026-11-29T02:41:07.310Z",
  commit: parseCommit("b".repeat(40)),
  inputs: ["nixpkgs"],
  hosts: { ok: 2 },
};
