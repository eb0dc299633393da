// Builds of earlier runs whose verdicts still hold: the same commit, hosts and overrides are not built again. Kept
// as the events that said so, in files of ours, because what a builder stored may be gone by the next night.
import { createReadStream } from "node:fs";
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { replaceFile } from "../../base/files/replace-file.ts";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import { foldEvents, type BuildState } from "../../protocol/build-state.ts";
import { decodeEvent, encodeEvent, type BuildEvent } from "../../protocol/events.ts";
import { parseBuildId, type BuildId } from "../../protocol/names.ts";
import { isOwnFault, isSuccess } from "../../protocol/verdicts.ts";
import { hostsNotListed } from "../judge/decide-classes.ts";

export interface KeptBuilds {
  /** @param about `requestDigest` of what is asked for */
  find(about: string, signal: AbortSignal): Promise<BuildState | undefined>;
  /** Keeps a build that is over, if it says something of every host. Never fails. */
  keep(about: string, id: BuildId, events: readonly BuildEvent[]): Promise<void>;
  /** The next run builds it again: it turned out to be chance. Never fails. */
  forget(id: BuildId): Promise<void>;
}

export interface KeptBuildsOptions {
  /** Absolute path; made when there is something to keep. */
  readonly directory: string;
  /** Takes secrets out of a text: what builds print is for nobody who reads our files. */
  readonly clean: (text: string) => string;
  readonly clock: Pick<Clock, "now">;
  readonly log: Log;
}

/** As long as a proposal stays open by default: what failed by chance is built again then. */
export const maxAgeMs = 14 * 24 * 3_600_000;
const mostKept = 500;
const maxBytes = 32 * 1024 * 1024;
const namePattern = /^(?<about>[0-9a-f]{64})\.(?<id>[0-9A-Z]{26})\.jsonl$/;

export function createKeptBuilds({ directory, clean, clock, log }: KeptBuildsOptions): KeptBuilds {
  async function names(): Promise<readonly string[]> {
    return (await readdir(directory).catch(() => [])).filter((name) => namePattern.test(name));
  }

  /** The oldest go, and what is too old. */
  async function prune(): Promise<void> {
    const all = await names();
    const dated = await Promise.all(
      all.map(async (name) => ({ name, at: (await stat(join(directory, name))).mtimeMs })),
    );
    const newest = dated.toSorted((a, b) => b.at - a.at);
    const old = newest.filter(({ at }, index) => index >= mostKept || !isFresh(at, clock));
    await Promise.all(old.map(async ({ name }) => rm(join(directory, name), { force: true })));
  }

  return {
    async find(about, signal) {
      const name = (await names()).find((each) => each.startsWith(`${about}.`));
      const id = name === undefined ? undefined : namePattern.exec(name)?.groups?.["id"];
      if (name === undefined || id === undefined) return undefined;
      try {
        const file = join(directory, name);
        const { mtimeMs, size } = await stat(file);
        if (!isFresh(mtimeMs, clock) || size > maxBytes) return undefined;
        const state = foldEvents(parseBuildId(id), await readEvents(file, signal));
        return saysAll(state) ? state : undefined;
      } catch (error) {
        signal.throwIfAborted();
        log.warn({ build: id, err: error }, "a build of an earlier run cannot be read, and is made again");
        return undefined;
      }
    },
    async forget(id) {
      try {
        for (const name of await names()) {
          if (name.includes(`.${id}.`)) await rm(join(directory, name), { force: true });
        }
      } catch (error) {
        log.warn({ build: id, err: error }, "the verdicts of a build could not be forgotten");
      }
    },
    async keep(about, id, events) {
      try {
        if (!saysAll(foldEvents(id, events))) return;
        const lines = events.map((event) => `${cleaned(event, clean)}\n`);
        for (const name of await names()) {
          if (name.startsWith(`${about}.`)) await rm(join(directory, name), { force: true });
        }
        await replaceFile(join(directory, `${about}.${id}.jsonl`), lines.join(""));
        await prune();
      } catch (error) {
        log.warn({ build: id, err: error }, "the verdicts of a build could not be kept for the next run");
      }
    },
  };
}

const cleaned = (event: BuildEvent, clean: KeptBuildsOptions["clean"]): string =>
  cleanedJson(JSON.parse(Buffer.from(encodeEvent(event)).toString()), clean);

/** JSON without secrets in any of its texts. */
export const cleanedJson = (value: unknown, clean: KeptBuildsOptions["clean"]): string =>
  JSON.stringify(value, (_, each: unknown) => (typeof each === "string" ? clean(each) : each));

/** For a run that wants everything built again: the next one finds this run's results. */
export const withoutFinding = (kept: KeptBuilds): KeptBuilds => ({ ...kept, find: async () => undefined });

const isFresh = (at: number, { now }: Pick<Clock, "now">): boolean => now().getTime() - at < maxAgeMs;

async function readEvents(file: string, signal: AbortSignal): Promise<readonly BuildEvent[]> {
  const events: BuildEvent[] = [];
  const lines = createInterface({ input: createReadStream(file, { signal }), crlfDelay: Infinity });
  for await (const line of lines) events.push(decodeEvent(Buffer.from(line)));
  return events;
}

/** Whether every host has a verdict of its own, or the flake itself has one. */
function saysAll(state: BuildState): boolean {
  if (hostsNotListed(state)) return true;
  const verdicts = [...state.hosts.values()].map(({ finished }) => finished?.verdict);
  return (
    verdicts.length > 0 &&
    ["succeeded", "failed"].includes(state.status) &&
    verdicts.every((verdict) => verdict !== undefined && (isOwnFault(verdict) || isSuccess(verdict)))
  );
}
