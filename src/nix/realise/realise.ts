import type { Clock } from "../../base/clock.ts";
import { LineSplitter } from "../../base/lines.ts";
import type { Log } from "../../base/log.ts";
import type { StorePath } from "../../protocol/names.ts";
import type { Exec } from "../../process/exec.ts";
import { createActivityLog } from "./activity-log.ts";
import { instantiateAggregate, saysAllBuilt } from "./aggregate.ts";
import { maxNixLogLineLength } from "./nix-log.ts";
import { buildDirectoryFlags, makeBuildDirectory, removeBuildDirectory } from "./build-directory.ts";
import { createBuildTimes } from "./build-times.ts";
import { readFailureMessage } from "./failure-message.ts";
import { createMachineList, linesWithout, type MachineList } from "./machine-list.ts";
import { createMachineReports } from "./machine-reports.ts";
import { logFlags } from "../nix-command.ts";
import type { Environment } from "../nix-environment.ts";
import type { NixActivity, NixMessage, RealiseOptions, RealiseResult, Realiser } from "../realiser.ts";
import type { Machine } from "../settings/machines.ts";
import type { Store } from "../store.ts";

export interface RealiseSettings extends Pick<Store, "readDerivation"> {
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Log;
  readonly machines: readonly Machine[];
  readonly environment: Environment;
  readonly version: string;
  /** It does not go through the Nix daemon. */
  readonly opensStoreItself: boolean;
  /** Where the builds of each call get a directory of their own. It must not be world-writable. */
  readonly buildsDirectory: string;
  readonly countOutOfMemoryKills: () => Promise<number>;
}

/** What one build may write to its log before Nix ends it. */
const maxBuildLogBytes = 64 * 1024 * 1024;
const connectTimeoutSeconds = 5;
/** How often Nix looks whether another process has ended what both need: so much is lost for each. Its default is 5. */
const lockPollSeconds = 1;
/** Nix ends its builders in order when it is told to, which takes longer than to be killed. */
const graceMs = 15_000;
const maxMessages = 200;

/**
 * Builds with one `nix-store --realise`: the only build call that has the same syntax, tells all errors and continues
 * after a failure on every version. Each call has a temporary directory of its own: by it a builder that outlives
 * Nix is found, and nothing of a cancelled build stays.
 */
export function createRealise(settings: RealiseSettings): Realiser["realise"] {
  const { exec, clock, environment, version, opensStoreItself, buildsDirectory, countOutOfMemoryKills } =
    settings;
  return async (drvPaths, options, onActivity, signal) => {
    if (drvPaths.length === 0)
      throw new Error("nix-store --realise with no paths would succeed and do nothing");
    const directory = await makeBuildDirectory(buildsDirectory);
    try {
      const killsBefore = await countOutOfMemoryKills();
      const aggregate = await aggregateOf(settings, drvPaths, directory, signal);
      const endsLate = drvPaths.length > 1 && aggregate === undefined;
      const times = createBuildTimes(clock, new Set(endsLate ? drvPaths : []));
      const machines = createMachineReports();
      const list = await machineListOf(settings, options, directory);
      const messages: NixMessage[] = [];
      let hasBuiltAll = false;

      const resultSoFar = async (): Promise<RealiseResult> => ({
        exitCode: undefined,
        killedBy: undefined,
        messages: [...messages],
        started: times.read(),
        machines: machines.read(),
        outOfMemoryKills: (await countOutOfMemoryKills()) - killsBefore,
      });
      const takeMessage = (message: NixMessage): void => {
        if (!isOwnTrouble(message)) return;
        if (aggregate !== undefined && message.text.includes(aggregate)) {
          hasBuiltAll = saysAllBuilt(message.text, aggregate);
          return;
        }
        messages.push(message);
        if (messages.length > maxMessages) messages.shift();
      };
      const reader = createActivityReader((activity) => {
        times.take(activity);
        machines.take(activity);
        if (activity.type === "message") void list?.leaveOut(machines.refusing());
        if (activity.type === "message") takeMessage(activity.message);
        const taken = onActivity(activity, resultSoFar);
        return taken === undefined ? undefined : whileStalled(taken, clock, times.stalled);
      });
      const buildHere = opensStoreItself ? buildDirectoryFlags(version, directory) : [];
      const asked = aggregate === undefined ? drvPaths : [aggregate];
      const builders = list?.setting ?? buildersOf(options, settings.machines);
      const args = [...realiseFlags(options, builders), ...buildHere, "--", ...asked];
      const running = exec("nix-store", args, {
        signal,
        env: { ...environment, TMPDIR: directory },
        cwd: "/",
        graceMs,
        ownedDirectory: directory,
        stderrPipeDirectory: directory,
        onStderr: reader.write,
      });
      // The directory is not removed while the file in it is written.
      await Promise.allSettled([running]);
      await list?.leaveOut([]);
      const { exitCode, killedBy } = await running;
      await reader.end();
      return { ...(await resultSoFar()), exitCode: hasBuiltAll ? 0 : exitCode, killedBy };
    } finally {
      await removeBuildDirectory(directory);
    }
  };
}

/** What Nix is asked for instead of several derivations. Without it they are built as well, and it says less meanwhile. */
async function aggregateOf(
  settings: RealiseSettings,
  drvPaths: readonly StorePath[],
  directory: string,
  signal: AbortSignal,
): Promise<StorePath | undefined> {
  if (drvPaths.length === 1) return undefined;
  try {
    return await instantiateAggregate(settings, drvPaths, directory, signal);
  } catch (error) {
    signal.throwIfAborted();
    settings.log.warn({ err: error }, "hosts of one Nix process may get their verdicts only when it ends");
    return undefined;
  }
}

/** Tells how long somebody took for an activity, when it was not taken at once. */
async function whileStalled(
  taken: Promise<void>,
  clock: Pick<Clock, "monotonic">,
  onOver: (milliseconds: number) => void,
): Promise<void> {
  const since = clock.monotonic();
  await taken;
  onOver(clock.monotonic() - since);
}

/** Where one machine can take the place of another. The file may not be there for a Nix daemon, which then has no machine. */
async function machineListOf(
  { machines, opensStoreItself }: RealiseSettings,
  { withoutMachines = [] }: RealiseOptions,
  directory: string,
): Promise<MachineList | undefined> {
  if (!opensStoreItself || machines.length < 2) return undefined;
  return createMachineList(machines, withoutMachines, directory);
}

const buildersOf = (
  { withoutMachines = [] }: RealiseOptions,
  machines: readonly Machine[],
): string | undefined =>
  withoutMachines.length === 0 ? undefined : linesWithout(machines, withoutMachines).join(" ; ");

function realiseFlags(options: RealiseOptions, builders: string | undefined): string[] {
  const settings = {
    "connect-timeout": connectTimeoutSeconds,
    "max-build-log-size": maxBuildLogBytes,
    "build-poll-interval": lockPollSeconds,
    "max-jobs": options.maxJobs,
    cores: options.cores,
    substituters: options.substituters?.join(" "),
    builders,
  };
  return [
    "--realise",
    // Continue with all that does not depend on a failure.
    "--keep-going",
    // Build what a substituter promised and cannot give.
    "--fallback",
    // The outputs have GC roots already.
    "--no-gc-warning",
    ...logFlags,
    "--timeout",
    String(options.timeoutSeconds),
    "--max-silent-time",
    String(options.silenceSeconds),
    ...Object.entries(settings).flatMap(([name, value]) =>
      value === undefined ? [] : ["--option", name, String(value)],
    ),
  ];
}

/** Errors and warnings of Nix, but those that only follow from others: a shared failure has thousands of them. */
const isOwnTrouble = ({ level, text, authentic }: NixMessage): boolean =>
  authentic && level <= 1 && readFailureMessage(text) !== undefined;

interface ActivityReader {
  /** Gives a promise while somebody takes time for an activity; no more may be written before it is over. */
  readonly write: (chunk: Uint8Array) => Promise<void> | undefined;
  readonly end: () => Promise<void>;
}

/** Log lines grow as long as nothing else comes between them. */
type PendingActivity =
  | Exclude<NixActivity, { readonly type: "log-lines" }>
  | { readonly type: "log-lines"; readonly drvPath: StorePath; readonly lines: string[] };

function createActivityReader(onActivity: (activity: NixActivity) => void | Promise<void>): ActivityReader {
  let pending: PendingActivity[] = [];
  const log = createActivityLog((activity) => {
    const last = pending.at(-1);
    if (activity.type === "transferred" && last?.type === "transferred") return;
    if (activity.type !== "log-lines") pending.push(activity);
    else if (last?.type === "log-lines" && last.drvPath === activity.drvPath)
      last.lines.push(...activity.lines);
    else pending.push({ ...activity, lines: [...activity.lines] });
  });
  const lines = new LineSplitter(maxNixLogLineLength, (line) => log.line(line));

  /** Most activities are taken at once: only one that is not costs a turn of the event loop. */
  function give(): Promise<void> | undefined {
    const activities = pending;
    pending = [];
    for (const [index, activity] of activities.entries()) {
      const taken = onActivity(activity);
      if (taken !== undefined) return giveRest(taken, activities.slice(index + 1));
    }
    return undefined;
  }

  async function giveRest(taken: Promise<void>, rest: readonly NixActivity[]): Promise<void> {
    await taken;
    for (const activity of rest) await onActivity(activity);
  }

  return {
    write(chunk) {
      lines.write(chunk);
      return give();
    },
    async end() {
      lines.end();
      await give();
    },
  };
}
