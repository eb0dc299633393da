// The logs of one running build on their way into the store of logs: lines of many derivations become chunks of
// one derivation each. A chunk leaves when it is full or old; when chunks cannot leave fast enough the producer
// waits, and when they cannot leave at all lines are dropped, counted, and said.
import type { Clock } from "../../base/clock.ts";
import { createNotifier } from "../../base/notifier.ts";
import { messageOf } from "../../base/errors.ts";
import { mostHostsOfChunk, type LogChunk } from "../../protocol/log-chunk.ts";
import type { BuildId, FullHostName, StorePath } from "../../protocol/names.ts";
import { limits } from "../../protocol/wire.ts";

export interface LogLimits {
  /** A chunk leaves when it is so old. */
  readonly chunkMs: number;
  /** Above this the producer waits. */
  readonly waitingBytes: number;
  /** A producer waits so long at most for the next chunk to leave; from then on lines are dropped. */
  readonly patienceMs: number;
  /** How much of each derivation's live log is stored. */
  readonly derivationBytes: number;
  /** The last lines that are kept for the report of a failure. */
  readonly tailLines: number;
}

export const defaultLogLimits: LogLimits = {
  chunkMs: 100,
  waitingBytes: 4 * 1024 * 1024,
  patienceMs: 10_000,
  derivationBytes: 64 * 1024 * 1024,
  tailLines: 50,
};

/** The hosts of this build that a derivation is built for, as far as it is known by now. */
export type HostsNow = () => readonly FullHostName[];

/** What a line of a log belongs to, besides its derivation. */
export interface LineOrigin {
  /** Asked when a chunk is made. */
  readonly hosts?: HostsNow;
  /** The remote builder that printed it; absent for the builder itself. */
  readonly machine?: string | undefined;
}

export interface BuildLogs {
  /** A promise when the producer has to wait. */
  lines(drvPath: StorePath, lines: readonly string[], origin?: LineOrigin): void | Promise<void>;
  /** A whole log, in order; gives its number. */
  openFull(
    drvPath: StorePath,
    machine?: string,
  ): { readonly log: number; write(text: string): Promise<void> };
  /** The last lines of the live log. */
  tail(drvPath: StorePath): readonly string[];
  /** The derivation ended: its last chunk leaves now. */
  end(drvPath: StorePath): void;
  droppedLines(): number;
  /** Why lines were dropped, where they were refused and did not only come too fast. */
  refusal(): string | undefined;
  /** Resolves when everything that was written has left, or never will. */
  flushed(signal: AbortSignal): Promise<void>;
  run(signal: AbortSignal): Promise<void>;
}

interface OpenLog {
  readonly log: number;
  readonly drvPath: StorePath;
  readonly kind: LogChunk["kind"];
  readonly tail: string[];
  hosts: HostsNow | undefined;
  machine: string | undefined;
  /** The hosts of its last chunk. */
  hostsSaid: readonly FullHostName[];
  nextIndex: number;
  text: string;
  since: number;
  storedBytes: number;
  dropped: number;
}

export interface BuildLogsOptions {
  readonly build: BuildId;
  /** Logs are numbered from here; a build that is resumed starts higher, so that numbers never repeat. */
  readonly firstLog: number;
  /** @throws when the chunk is refused, or when it could not be stored for long. */
  readonly append: (chunk: LogChunk, signal: AbortSignal) => Promise<void>;
  readonly clock: Clock;
  readonly limits?: LogLimits;
}

/** Logs whose derivation ended keep their last lines for the report of a failure; so many of them at most. */
const endedLogs = 2000;
const tailLineLength = 1000;

export function createBuildLogs(options: BuildLogsOptions): BuildLogs {
  const { build, firstLog, append, clock, limits: bounds = defaultLogLimits } = options;
  const notifier = createNotifier();
  const left = createNotifier();
  const live = new Map<StorePath, OpenLog>();
  const ended = new Map<StorePath, OpenLog>();
  const chunks: LogChunk[] = [];
  let nextLog = firstLog;
  let waitingBytes = 0;
  let droppedLines = 0;
  let lastLeft = clock.monotonic();
  let patient = true;
  let refusal: string | undefined;

  const open = (drvPath: StorePath, kind: LogChunk["kind"], machine?: string): OpenLog => ({
    log: nextLog++,
    drvPath,
    kind,
    tail: [],
    hosts: undefined,
    machine,
    hostsSaid: [],
    nextIndex: 0,
    text: "",
    since: 0,
    storedBytes: 0,
    dropped: 0,
  });

  function liveLog(drvPath: StorePath): OpenLog {
    const known = live.get(drvPath) ?? ended.get(drvPath);
    const log = known ?? open(drvPath, "live");
    ended.delete(drvPath);
    live.set(drvPath, log);
    return log;
  }

  function cut(log: OpenLog): void {
    if (log.text !== "" || log.dropped > 0) push(log);
  }

  function push(log: OpenLog): void {
    const { drvPath, kind, machine, text, dropped } = log;
    log.hostsSaid = hostsOf(log);
    const hosts = log.hostsSaid.length === 0 ? {} : { hosts: [...log.hostsSaid] };
    const about = { drvPath, kind, ...hosts, ...(machine === undefined ? {} : { machine }) };
    chunks.push({ build, log: log.log, index: log.nextIndex++, ...about, dropped, text });
    waitingBytes += text.length;
    log.text = "";
    log.dropped = 0;
    notifier.notify();
  }

  function add(log: OpenLog, text: string): void {
    if (log.text.length + text.length > limits.logChunk) cut(log);
    if (log.text === "") {
      log.since = clock.monotonic();
      notifier.notify();
    }
    log.text += text;
    log.storedBytes += text.length;
    if (log.nextIndex === 0) cut(log);
  }

  const isFull = (): boolean => waitingBytes > bounds.waitingBytes;

  /** Until there is room again, or for as long as patience lasts. */
  async function room(): Promise<void> {
    const started = clock.monotonic();
    while (isFull() && patient) {
      const waiting = new AbortController();
      await Promise.race([left.wait(waiting.signal), clock.sleep(bounds.patienceMs, waiting.signal)]).finally(
        () => waiting.abort(),
      );
      if (clock.monotonic() - Math.max(lastLeft, started) >= bounds.patienceMs) patient = false;
    }
  }

  /** Waiting events would wait forever, or be refused as well. The build must not wait for them. Later ones are retried. */
  function lose(reason: string): void {
    refusal ??= reason;
    for (const { text } of chunks) droppedLines += text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
    chunks.length = 0;
    waitingBytes = 0;
  }

  async function nextChunk(signal: AbortSignal): Promise<LogChunk> {
    for (;;) {
      const [chunk] = chunks;
      if (chunk !== undefined) return chunk;
      const hasText = live.values().some((log) => log.text !== "");
      await (hasText ? clock.sleep(bounds.chunkMs, signal) : notifier.wait(signal));
      const now = clock.monotonic();
      for (const log of live.values()) if (log.text !== "" && now - log.since >= bounds.chunkMs) cut(log);
    }
  }

  return {
    lines(drvPath, lines, { hosts, machine } = {}) {
      const log = liveLog(drvPath);
      // Tried again on another machine.
      if (log.machine !== machine) cut(log);
      log.machine = machine;
      log.hosts = hosts;
      keepTail(log.tail, lines, bounds.tailLines);
      if (log.storedBytes > bounds.derivationBytes || (isFull() && !patient)) {
        log.dropped += lines.length;
        droppedLines += lines.length;
        return undefined;
      }
      const text = `${lines.join("\n")}\n`;
      if (log.text.length + text.length <= limits.logChunk) add(log, text);
      else for (const line of lines) add(log, `${line}\n`);
      return isFull() ? room() : undefined;
    },
    openFull(drvPath, machine) {
      const log = open(drvPath, "full", machine);
      return {
        log: log.log,
        async write(text) {
          for (let at = 0; at < text.length; at += limits.logChunk) {
            await room();
            add(log, text.slice(at, at + limits.logChunk));
            cut(log);
          }
        },
      };
    },
    tail: (drvPath) => (live.get(drvPath) ?? ended.get(drvPath))?.tail ?? [],
    end(drvPath) {
      const log = live.get(drvPath);
      if (log === undefined) return;
      cut(log);
      // Hosts that joined after its last line are added for readers of their logs.
      if (hostsOf(log).join() !== log.hostsSaid.join()) push(log);
      live.delete(drvPath);
      ended.set(drvPath, log);
      if (ended.size > endedLogs) for (const oldest of ended.keys().take(1)) ended.delete(oldest);
    },
    droppedLines: () => droppedLines,
    refusal: () => refusal,
    async flushed(signal) {
      for (const log of live.values()) cut(log);
      while (chunks.length > 0) await left.wait(signal);
    },
    async run(signal) {
      for (;;) {
        const chunk = await nextChunk(signal);
        try {
          await append(chunk, signal);
          chunks.shift();
          waitingBytes -= chunk.text.length;
        } catch (error) {
          signal.throwIfAborted();
          lose(messageOf(error));
        }
        lastLeft = clock.monotonic();
        patient = true;
        left.notify();
      }
    },
  };
}

function keepTail(tail: string[], lines: readonly string[], most: number): void {
  for (const line of lines.slice(-most))
    tail.push(line.length > tailLineLength ? `${line.slice(0, tailLineLength)}…` : line);
  if (tail.length > most) tail.splice(0, tail.length - most);
}

/** None if they are unknown or too many for a chunk. */
function hostsOf({ hosts }: OpenLog): readonly FullHostName[] {
  const names = hosts?.() ?? [];
  return names.length > mostHostsOfChunk ? [] : names;
}
