// Follows one build on this terminal: shows it, obeys Ctrl-C, and gives the exit code of its verdict.
import { HomelabError } from "../../base/errors.ts";
import type { BuildReader } from "../../bus/bus.ts";
import {
  applyEvent,
  isOver,
  statusOf,
  unknownBuild,
  hasNoChanges,
  wasDenied,
  type BuildState,
} from "../../protocol/build-state.ts";
import { presence, type BuilderStatus } from "../../protocol/builder-status.ts";
import type { BuildId } from "../../protocol/names.ts";
import { exitCodeOf, exitCodes } from "../../protocol/exit-codes.ts";
import type { Context } from "../context.ts";
import { decideOtherBuild, type AskedFor } from "./decide-other-build.ts";
import { createKeyActions } from "./key-actions.ts";
import { keyHint, readKeys } from "./watch-keys.ts";
import { createRenderer } from "../print/create-renderer.ts";
import { formatDuration } from "../../words/duration.ts";
import { cancelCommand, followCommand } from "../../words/next-commands.ts";
import { showsTaskbar } from "../print/live/taskbar.ts";
import { decideOutputMode, isWorkflowRunner, type OutputChoice } from "../print/output-mode.ts";
import type { BuildRenderer } from "../print/renderer.ts";

export interface WatchOptions {
  readonly output?: OutputChoice;
  readonly timeout?: number;
  readonly onInterrupt?: "detach" | "cancel";
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly printBuildLogs?: boolean;
  readonly showTrace?: boolean;
  /** A build of this process ends with it: Ctrl-C cancels. */
  readonly local?: boolean;
  /** A person at the terminal can press keys. */
  readonly keys?: boolean;
}

/** After the first Ctrl-C, the time for a second one. */
const secondInterruptMs = 2000;
/** How long a cancelled build may take to say so. */
const cancelMs = 30_000;
/** How long a request may wait before a message says that nobody took it. */
const silenceMs = 2000;

/** Why we stop watching before the build is over. */
type Stop = "timeout" | "detached" | "cancelled" | "terminated";

/** A build that this command asks for. */
export interface AskedBuild extends AskedFor {
  readonly submit: (signal: AbortSignal) => Promise<void>;
  /** It should evaluate again; builders of earlier releases do not know that field. */
  readonly fresh?: boolean;
}

/** @returns the exit code. Without `asked` it attaches to a build that is there. */
export async function watchBuild(
  context: Context,
  reader: BuildReader,
  id: BuildId,
  options: WatchOptions,
  asked?: AskedBuild,
): Promise<number> {
  const renderer = createWatchRenderer(context, options);
  const watching = new AbortController();
  let state = unknownBuild(id);
  let isTaken = false;
  let stop: Stop | undefined;
  let failure: Error | undefined;

  const end = (why: Stop): void => {
    stop ??= why;
    watching.abort();
  };
  const cancels = options.onInterrupt === "cancel" || options.local === true;
  const forget = watchSignals(context, renderer, id, { cancels, end, cancel: () => cancelBuild(reader, id) });
  const timer = options.timeout === undefined ? undefined : setTimeout(() => end("timeout"), options.timeout);
  const onResize = (): void => renderer.resize();
  process.stderr.on("resize", onResize);
  const { terminal } = renderer;
  const { input } = context;
  const onKey = createKeyActions({
    reader,
    renderer,
    id,
    state: () => state,
    now: () => context.clock.monotonic(),
    cancel: () => cancelBuild(reader, id),
    detach() {
      renderer.interrupted();
      context.err.write(detachedText(id));
      end("detached");
    },
    raise: (name) => process.kill(process.pid, name),
    signal: watching.signal,
  });
  const keys =
    options.keys === true && input !== undefined && terminal !== undefined
      ? readKeys(input, onKey)
      : undefined;
  const leave = (): void => {
    keys?.leave();
    terminal?.leave();
  };
  const enter = (): void => {
    keys?.enter();
    terminal?.enter();
  };
  const forgetSuspend = terminal === undefined ? undefined : context.signals.onSuspend(leave, enter);

  renderer.start(id);
  const asking = asked?.submit(watching.signal).catch((error: unknown) => {
    failure ??= toError(error);
    watching.abort();
  });
  const explaining =
    asking === undefined
      ? undefined
      : explainSilence(context, reader, renderer, { asking, isTaken: () => isTaken }, watching.signal);
  try {
    for await (const message of reader.follow(
      id,
      { progress: options.quiet !== true, logs: needsLogs(context, options) },
      watching.signal,
    )) {
      if (message.type === "event") state = applyEvent(state, message.event);
      // The notes before the first event are of a builder that has begun to take the request.
      isTaken ||= message.type === "progress" || state.status !== "queued";
      const other = asked === undefined ? undefined : decideOtherBuild(asked, state);
      if (other !== undefined) {
        // What it says is about something else: none of it is shown.
        state = unknownBuild(id);
        failure = other;
        if (other.code === "BUILDER_OUTDATED") await cancelBuild(reader, id);
        break;
      }
      renderer.message(message);
    }
  } catch (error) {
    if (!watching.signal.aborted) failure ??= toError(error);
  } finally {
    clearTimeout(timer);
    process.stderr.off("resize", onResize);
    forgetSuspend?.();
    keys?.stop();
    forget();
    watching.abort();
    await Promise.all([asking, explaining]);
  }
  const code = conclude(context, renderer, state, { stop, failure, options });
  if (asked?.fresh === true && state.startedAt !== undefined && state.fresh !== true) {
    context.err.write("warning: this builder does not know --fresh: it may have used what it remembers\n");
  }
  return code;
}

function conclude(
  context: Context,
  renderer: BuildRenderer,
  state: BuildState,
  { stop, failure, options }: { stop: Stop | undefined; failure: Error | undefined; options: WatchOptions },
): number {
  if (isOver(state)) {
    renderer.finish(state);
    if (stop === "terminated") return exitCodes.terminated;
    return hasNoChanges(state) ? exitCodes.success : exitCodeOf(outcomeOfBuild(state), wasDenied(state));
  }
  renderer.interrupted();
  if (failure !== undefined) throw failure;
  const say = (text: string): void => void context.err.write(`${text}\n`);
  switch (stop) {
    case "timeout":
      say(
        `No verdict after ${formatDuration(options.timeout ?? 0)}; the build continues.\n  Look again:  ${followCommand(state.id)}\n  Cancel:      ${cancelCommand(state.id)}`,
      );
      // Nobody took it: that is not a slow build but a builder unreachable.
      return state.status === "queued" ? exitCodes.unavailable : exitCodes.timeout;
    case "terminated":
      return exitCodes.terminated;
    case "detached":
    case "cancelled":
      return exitCodes.interrupted;
    case undefined:
      throw new HomelabError("unavailable", `the events of build ${state.id} ended before its verdict`, {
        code: "NO_VERDICT",
        hint: `look again: ${followCommand(state.id)}`,
      });
  }
}

const toError = (thrown: unknown): Error => (thrown instanceof Error ? thrown : new Error(String(thrown)));

function outcomeOfBuild(state: BuildState): Parameters<typeof exitCodeOf>[0] {
  const status = statusOf(state);
  if (status === "queued" || status === "running") throw new Error(`build ${state.id} is not over`);
  return status;
}

const outputModeOf = (context: Context, { output }: WatchOptions): ReturnType<typeof decideOutputMode> =>
  context.json
    ? "jsonl"
    : decideOutputMode({
        output,
        environment: context.environment,
        stderrIsTerminal: context.err.isTTY === true,
      });

const needsLogs = (context: Context, options: WatchOptions): boolean =>
  options.quiet !== true && (options.printBuildLogs === true || outputModeOf(context, options) === "github");

function createWatchRenderer(context: Context, options: WatchOptions): BuildRenderer {
  const { out, err, outStyle, errStyle, clock, environment } = context;
  return createRenderer(outputModeOf(context, options), {
    out,
    err,
    outStyle,
    errStyle,
    clock,
    detail: options.quiet === true ? "quiet" : options.verbose === true ? "verbose" : undefined,
    buildLogs: options.printBuildLogs,
    showTrace: options.showTrace,
    keyHint: hintOf(context, options),
    taskbar: showsTaskbar(environment),
    inRunner: isWorkflowRunner(environment),
    stepSummaryPath: environment["GITHUB_STEP_SUMMARY"],
  });
}

function hintOf({ input }: Context, options: WatchOptions): string {
  if (options.onInterrupt === "cancel" || options.local === true) return "Ctrl-C cancels";
  return options.keys === true && input !== undefined ? keyHint : "Ctrl-C detaches";
}

interface SignalReactions {
  readonly cancels: boolean;
  readonly end: (why: Stop) => void;
  readonly cancel: () => Promise<void>;
}

/** The first Ctrl-C detaches and says how to look again; a second one soon after cancels the build. */
function watchSignals(
  context: Context,
  renderer: BuildRenderer,
  id: BuildId,
  { cancels, end, cancel }: SignalReactions,
): () => void {
  let interrupts = 0;
  let timer: NodeJS.Timeout | undefined;

  function cancelAndWait(why: Stop): void {
    renderer.notice(`Cancelling build ${id}.`);
    cancel().catch(() => end(why));
    clearTimeout(timer);
    timer = setTimeout(() => end(why), cancelMs);
  }
  const forgetInterrupt = context.signals.onInterrupt(() => {
    interrupts++;
    if (interrupts > (cancels ? 1 : 2)) return end("cancelled");
    if (cancels || interrupts === 2) return cancelAndWait("cancelled");
    renderer.interrupted();
    context.err.write(`\n${detachedText(id, " Ctrl-C again cancels it.")}`);
    timer = setTimeout(() => end("detached"), secondInterruptMs);
    return undefined;
  });
  const forgetTerminate = context.signals.onTerminate(() =>
    cancels ? cancelAndWait("terminated") : end("terminated"),
  );
  return () => {
    clearTimeout(timer);
    forgetInterrupt();
    forgetTerminate();
  };
}

const detachedText = (id: BuildId, more = ""): string =>
  `Detached; build ${id} continues.${more}\n  Look again:  ${followCommand(id)}\n  Cancel:      ${cancelCommand(id)}\n`;

const cancelBuild = (reader: BuildReader, id: BuildId): Promise<void> =>
  reader.control(id, { action: "cancel" }, AbortSignal.timeout(10_000));

/** A request that nobody takes is explained: whether it is stored, whether a builder is there, and since when none was. */
async function explainSilence(
  { clock }: Context,
  reader: BuildReader,
  renderer: BuildRenderer,
  { asking, isTaken }: { readonly asking: Promise<void>; readonly isTaken: () => boolean },
  signal: AbortSignal,
): Promise<void> {
  try {
    const stored = asking.then(() => true);
    if (!(await Promise.race([stored, clock.sleep(silenceMs, signal).then(() => false)]))) {
      renderer.notice("NATS has not stored the request yet.");
      await stored;
    }
    await clock.sleep(silenceMs, signal);
    if (isTaken()) return;
    renderer.notice(describeSilence(await reader.listBuilders(signal), clock.now()));
  } catch {
    // Only an explanation: without it the build continues all the same.
  }
}

export function describeSilence(builders: readonly BuilderStatus[], now: Date): string {
  const age = (status: BuilderStatus): number => now.getTime() - Date.parse(status.at);
  const online = builders.filter((status) => age(status) <= presence.goneAfterMs);
  if (online.length > 0) {
    return `The request is stored; ${online.map(({ name }) => name).join(", ")} ${online.length === 1 ? "has" : "have"} not taken it yet.`;
  }
  const [latest] = builders.toSorted((a, b) => age(a) - age(b));
  const since =
    latest === undefined
      ? "no builder was ever seen"
      : `no builder was seen for ${formatDuration(age(latest))} (${latest.name} was the last)`;
  return `The request is queued: ${since}. It is built as soon as a builder comes back.`;
}
