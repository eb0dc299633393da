// Follows one rollout on this terminal until it is over. The deployer runs it: whoever stops looking stops nothing.
import { HomelabError } from "../../base/errors.ts";
import type { DeployReader } from "../../bus/deploy-bus.ts";
import type { RolloutReader } from "../../bus/rollout-bus.ts";
import { exitCodes } from "../../protocol/exit-codes.ts";
import type { HostState } from "../../protocol/deploy/host-state.ts";
import type { HostName } from "../../protocol/names.ts";
import { rolloutExitCode } from "../../protocol/rollout/rollout-exit-code.ts";
import type { RolloutId } from "../../protocol/rollout/rollout-events.ts";
import { applyRolloutEvent, type Rollout } from "../../protocol/rollout/rollout.ts";
import { formatDuration } from "../../words/duration.ts";
import { rolloutCommand } from "../../words/next-commands.ts";
import type { Context } from "../context.ts";
import { decideOutputMode } from "../print/output-mode.ts";
import { createRolloutRenderer, type RolloutRenderer } from "../print/rollout/rollout-renderer.ts";

export interface WatchParts {
  readonly rollouts: RolloutReader;
  readonly bus: Pick<DeployReader, "hostStates" | "hostState">;
  /** From here on SIGINT and SIGTERM are ours. */
  readonly handOver: () => void;
}

type Stop = "detached" | "terminated" | "timeout";

/** Hosts that are being deployed say how far they are; the others are looked at now and then. */
const phasesMs = 2000;
const roundsToAll = 15;
const mostAsked = 50;

/** @returns the exit code of the rollout; 130, 143 or 124 for who stops looking before */
export async function watchRollout(
  context: Context,
  { rollouts, bus, handOver }: WatchParts,
  id: RolloutId,
  { timeout }: { readonly timeout?: number } = {},
): Promise<number> {
  const { signals, clock } = context;
  const renderer = createRenderer(context);
  const watching = new AbortController();
  const { signal } = watching;
  let stop: Stop | undefined;
  let rollout: Rollout | undefined;
  const end = (why: Stop): void => {
    stop ??= why;
    watching.abort();
  };
  handOver();
  const forget = [signals.onInterrupt(() => end("detached")), signals.onTerminate(() => end("terminated"))];
  const timer = timeout === undefined ? undefined : setTimeout(() => end("timeout"), timeout);
  const looking = followStates({ bus, clock, current: () => rollout, renderer }, signal).catch(
    () => undefined,
  ); // over
  try {
    let known = 0;
    for await (const { events } of rollouts.followRollout(id, signal)) {
      const added = events.slice(known);
      known = events.length;
      for (const event of added) rollout = applyRolloutEvent(rollout, event);
      if (rollout === undefined) continue;
      renderer.show(rollout, added);
      const exitCode = rolloutExitCode(rollout);
      if (exitCode === undefined) continue;
      renderer.finish(rollout, exitCode);
      return exitCode;
    }
  } catch (error) {
    if (stop === undefined) {
      renderer.interrupted();
      throw error;
    }
  } finally {
    clearTimeout(timer);
    for (const each of forget) each();
    watching.abort();
    await looking;
  }
  renderer.interrupted();
  return leave(context, { id, rollout }, stop, timeout);
}

interface Left {
  readonly id: RolloutId;
  readonly rollout?: Rollout;
}

/** Whatever happens here, the deployer continues, or waits for a person. */
function leave({ err }: Context, { id, rollout }: Left, stop: Stop | undefined, timeout = 0): number {
  if (stop === undefined) {
    throw new HomelabError("unavailable", `the log of rollout ${id} ended before the rollout`, {
      code: "NO_VERDICT",
      hint: `look again: ${rolloutCommand("show", id)} --follow`,
    });
  }
  const why = stop === "timeout" ? `Not over after ${formatDuration(timeout)}` : "Detached";
  const waits =
    rollout?.halted !== undefined ? "halted" : rollout?.paused !== undefined ? "paused" : undefined;
  const lines = [
    `\n${why}; ${waits === undefined ? "the deployer continues the rollout" : `the rollout stays ${waits} until a person decides`}.`,
    `  Look again:  ${rolloutCommand("show", id)} --follow`,
    ...(waits === undefined ? [] : [`  Resume it:   ${rolloutCommand("resume", id)}`]),
    `  Abort it:    ${rolloutCommand("abort", id)}`,
  ];
  err.write(`${lines.join("\n")}\n`);
  if (stop === "timeout") return exitCodes.timeout;
  return stop === "terminated" ? exitCodes.terminated : exitCodes.interrupted;
}

interface StatesOptions extends Pick<WatchParts, "bus"> {
  readonly clock: Context["clock"];
  readonly current: () => Rollout | undefined;
  readonly renderer: RolloutRenderer;
}

/** Until the signal aborts. What hosts say about themselves only adds to the view, so that nobody is told when it cannot be read. */
async function followStates(
  { bus, clock, current, renderer }: StatesOptions,
  signal: AbortSignal,
): Promise<void> {
  let states = new Map<HostName, HostState>();
  for (let round = 0; ; round++) {
    const rollout = current();
    if (rollout !== undefined) {
      try {
        states = new Map([...states, ...(await readStates(bus, rollout, round % roundsToAll === 0, signal))]);
        renderer.states(states);
      } catch {
        signal.throwIfAborted();
      }
    } else round = -1;
    await clock.sleep(rollout === undefined ? 100 : phasesMs, signal);
  }
}

async function readStates(
  bus: StatesOptions["bus"],
  { repo, hosts }: Rollout,
  all: boolean,
  signal: AbortSignal,
): Promise<readonly (readonly [HostName, HostState])[]> {
  if (all) return (await bus.hostStates(signal, repo)).map((state) => [state.host, state]);
  const ordered = [...hosts.values()].filter(({ status }) => status === "ordered").slice(0, mostAsked);
  const states = await Promise.all(ordered.map(async ({ host }) => bus.hostState({ repo, host }, signal)));
  return states.flatMap((state) => (state === undefined ? [] : [[state.host, state] as const]));
}

function createRenderer(context: Context): RolloutRenderer {
  const { environment, err, json } = context;
  const mode = json ? "jsonl" : decideOutputMode({ environment, stderrIsTerminal: err.isTTY === true });
  return createRolloutRenderer(mode === "github" ? "plain" : mode, context);
}
