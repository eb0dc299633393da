import { once } from "node:events";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { parseBuildId, type BuildId } from "../../src/protocol/names.ts";
import { limits } from "../../src/protocol/wire.ts";
import type { FleetToggles } from "../support/fleet.ts";
import { createThrowAwayStore } from "../support/nix-store.ts";
import { realiseUnread } from "./bare-nix.ts";
import { atLeast, atMost, exactly, mebibytes, type BenchContext, type BenchResult } from "./bench.ts";
import { everyHost, nixSettings, startLab, type Lab } from "./lab.ts";
import { readResidentBytes } from "./measure.ts";
import { requestBuild, watchBuild, type WatchedBuild } from "./requests.ts";

const lines = 1_000_000;
const sampleMs = 25;
const oneDerivation: FleetToggles = { hosts: 1, shared: 0, perHostDrvs: 0 };

/** One derivation that prints as fast as it can, with and without a reader that has stopped reading. */
export async function runLogVolume(context: BenchContext): Promise<readonly BenchResult[]> {
  await using lab = await startLab(context, { fleet: oneDerivation });
  await requestBuild(lab.reader, everyHost);
  const before = await readResidentBytes(lab.builderPid);

  const commit = await lab.change({ ...oneDerivation, logLines: lines, salt: "alone" });
  const alone = await measure(lab, async () => requestBuild(lab.reader, everyHost));
  await using store = await createThrowAwayStore(nixSettings);
  const bare = await realiseUnread(store, { bare: lab.bare, commit }, "host01");
  const publishSeconds = await publishBytes(lab, alone.storedBytes);
  await lab.change({ ...oneDerivation, logLines: lines, salt: "beside a stopped reader" });
  const beside = await measure(lab, async () => buildBesideStoppedReader(lab));

  const grown = Math.max(alone.peakBytes, beside.peakBytes) - before;
  const grownAgain = beside.peakBytes - alone.peakBytes;
  const rate = (seconds: number): string => `${Math.round(lines / seconds)} lines/s`;
  const what = `${lines} log lines`;
  return [
    { what: `${what}: lost`, ours: `${alone.lostLines}`, goal: exactly(alone.lostLines, 0) },
    {
      what: `${what} and a stopped reader: lost`,
      ours: `${beside.lostLines}`,
      goal: exactly(beside.lostLines, 0),
    },
    {
      what: `${what}: growth of the builder's memory`,
      ours: mebibytes(grown),
      goal: atMost(grown / 1024 ** 2, 64, " MiB"),
    },
    { what: `${what}: of it by as many lines more`, ours: mebibytes(Math.max(0, grownAgain)) },
    {
      what: `${what}: request to verdict`,
      ours: rate(alone.seconds),
      baseline: `${rate(bare.wallSeconds)} nix-store --realise, unread`,
      ratio: bare.wallSeconds / alone.seconds,
      goal: atLeast(bare.wallSeconds / alone.seconds, 0.7),
    },
    {
      what: `${what}: request to verdict`,
      ours: rate(alone.seconds),
      baseline: `${rate(publishSeconds)} published in 64 KiB chunks`,
      ratio: publishSeconds / alone.seconds,
    },
    {
      what: `${what} and a stopped reader: request to verdict`,
      ours: rate(beside.seconds),
      baseline: `${rate(alone.seconds)} without that reader`,
      ratio: alone.seconds / beside.seconds,
    },
  ];
}

interface MeasuredBuild {
  readonly seconds: number;
  /** The most that the builder held. */
  readonly peakBytes: number;
  readonly lostLines: number;
  readonly storedBytes: number;
}

async function measure(lab: Lab, build: () => Promise<WatchedBuild>): Promise<MeasuredBuild> {
  const over = new AbortController();
  const peak = peakMemory(lab.builderPid, over.signal);
  const { id, finishedMs } = await build().finally(() => over.abort());
  return { seconds: finishedMs / 1000, peakBytes: await peak, ...(await readStoredLines(lab, id)) };
}

async function peakMemory(pid: number, signal: AbortSignal): Promise<number> {
  let peak = 0;
  while (!signal.aborted) {
    peak = Math.max(peak, await readResidentBytes(pid));
    await sleep(sampleMs);
  }
  return peak;
}

/** A line counts when it is there with its number, and once. */
async function readStoredLines(
  { reader }: Lab,
  id: BuildId,
): Promise<Pick<MeasuredBuild, "lostLines" | "storedBytes">> {
  const numbers = new Set<string>();
  let storedBytes = 0;
  let text = "";
  for await (const chunk of reader.readLogs(id, AbortSignal.timeout(60_000))) {
    storedBytes += Buffer.byteLength(chunk.text);
    text += chunk.text;
  }
  for (const { groups } of text.matchAll(/^log line (?<number>\d+) of /gm)) {
    const number = groups?.["number"] ?? "";
    if (numbers.has(number)) throw new Error(`line ${number} is stored twice`);
    numbers.add(number);
  }
  return { lostLines: lines - numbers.size, storedBytes };
}

/** The reader asks for the build, sees that it was accepted, and then stops as with Ctrl-S or a closed laptop. */
async function buildBesideStoppedReader(lab: Lab): Promise<WatchedBuild> {
  const started = performance.now();
  const follower = lab.spawn("build", "--all", "--print-build-logs", "--output", "jsonl");
  try {
    const id = await acceptedBuild(follower.stdout);
    follower.kill("SIGSTOP");
    return await watchBuild(lab.reader, id, started);
  } finally {
    const ended = once(follower, "exit");
    follower.kill("SIGKILL");
    await ended;
  }
}

async function acceptedBuild(output: NodeJS.ReadableStream | null): Promise<BuildId> {
  if (output === null) throw new Error("the reader's output was not piped");
  for await (const line of createInterface(output)) {
    const event: unknown = JSON.parse(line);
    const isEvent = typeof event === "object" && event !== null && "type" in event && "build" in event;
    if (isEvent && event.type === "accepted") return parseBuildId(String(event.build));
  }
  throw new Error("the reader ended before its build was accepted");
}

/** Stores so many bytes in chunks of the usual size, one after the other, and gives the seconds. */
async function publishBytes({ connection: { nats } }: Lab, bytes: number): Promise<number> {
  const manager = await jetstreamManager(nats);
  await manager.streams.add({ name: "BENCH", subjects: ["bench.>"], storage: "file" });
  const chunk = new Uint8Array(limits.logChunk);
  const started = performance.now();
  for (let sent = 0; sent < bytes; sent += chunk.byteLength)
    await jetstream(nats).publish("bench.log", chunk);
  return (performance.now() - started) / 1000;
}
