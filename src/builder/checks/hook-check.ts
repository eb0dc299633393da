// A host with valid outputs is not a success if a `post-build-hook` failed for one of them in this build.
import type { Clock } from "../../base/clock.ts";
import { isBug } from "../../base/errors.ts";
import { workThrough } from "../../base/work-through.ts";
import type { Store } from "../../nix/store.ts";
import { boundedText, type DerivationFailure, type HostRef } from "../../protocol/events.ts";
import type { StorePath } from "../../protocol/names.ts";
import { derivationName } from "../../protocol/store-paths/derivation-name.ts";
import type { Decision } from "../decide-verdicts.ts";
import type { FailedHook, FailedHooks } from "../lanes/failed-hooks.ts";
import type { ReadyWork, RunningBuild } from "../work.ts";
import type { WorkBoard } from "../work-board.ts";

export interface HookCheckOptions {
  readonly board: Pick<WorkBoard, "warn">;
  readonly nix: Pick<Store, "readDerivation">;
  readonly clock: Clock;
  readonly failedHooks: FailedHooks;
}

/**
 * The verdicts of hosts whose output is valid. A hook that failed since a build began belongs to that build: its host was
 * built, and is not a success. One that failed before is history, which nothing here can fix: Nix does not run the hook
 * again. The verdict then stands, and the build gets a warning about what is missing.
 */
export async function judgeHooks(
  { board, nix, clock, failedHooks }: HookCheckOptions,
  works: readonly ReadyWork[],
  verdict: "built" | "unchanged",
): Promise<ReadonlyMap<ReadyWork, Decision>> {
  const failed = failedHooks.all();
  const success = new Map(works.map((work): [ReadyWork, Decision] => [work, { type: "verdict", verdict }]));
  if (failed.size === 0 || works.length === 0) return success;
  const needed = await hooksOf(
    nix,
    works.map((work) => work.evaluation.drvPath),
    failed,
  );
  const broken = new Map<ReadyWork, readonly FailedHook[]>();
  for (const work of works) {
    const hooks = needed.get(work.evaluation.drvPath) ?? [];
    const own = hooks.filter((hook) => [...work.watchers].some((build) => hook.at >= beganAt(build, clock)));
    const old = hooks.filter((hook) => !own.includes(hook));
    if (old.length > 0) board.warn(work.watchers, remark(old));
    const [first] = own;
    if (first === undefined) continue;
    broken.set(work, own.slice(0, mostReported));
    success.set(work, { type: "verdict", verdict: "infra-failed", reason: reasonOf(first, own.length) });
  }
  report(broken);
  return success;
}

const mostNamed = 3;
/** The limit for one host: a hook that cannot reach its server fails after every build. */
const mostReported = 10;

const beganAt = ({ startedAt }: RunningBuild, clock: Clock): number =>
  clock.now().getTime() - (clock.monotonic() - startedAt);

const reasonOf = ({ drvPath, reason }: FailedHook, count: number): string => {
  const more = count === 1 ? "" : ` (and for ${count - 1} more)`;
  return boundedText(`built, but its post-build-hook failed: ${derivationName(drvPath)}: ${reason}${more}`);
};

function remark(hooks: readonly FailedHook[]): string {
  const names = hooks.slice(0, mostNamed).map(({ drvPath }) => derivationName(drvPath));
  const more = hooks.length - names.length;
  const of = [names.join(", "), ...(more > 0 ? [`${more} more`] : [])].join(" and ");
  const last = hooks.at(-1);
  const why = last === undefined ? "" : ` (${new Date(last.at).toISOString().slice(0, 10)}: ${last.reason})`;
  return `the post-build-hook of ${of} failed in an earlier build${why}, and Nix does not run it again for what is built: do by hand what the hook should have done`;
}

/** Each hook once in each build, with all its hosts. */
function report(broken: ReadonlyMap<ReadyWork, readonly FailedHook[]>): void {
  for (const build of new Set([...broken.keys()].flatMap((work) => [...work.watchers]))) {
    const own = [...broken].filter(([work]) => work.watchers.has(build));
    for (const hook of new Set(own.flatMap(([, hooks]) => hooks))) {
      const hosts = own
        .filter(([, hooks]) => hooks.includes(hook))
        .map(([{ repo, host }]) => ({ repo, host }));
      const failure = describe(hook, hosts);
      if (!build.failures.has(hook.drvPath)) build.failures.set(hook.drvPath, failure);
      build.record.emit({ type: "derivation-failed", ...failure });
    }
  }
}

const describe = ({ drvPath, reason, lines }: FailedHook, hosts: HostRef[]): DerivationFailure => ({
  drvPath,
  name: derivationName(drvPath),
  kind: "infra",
  reason: boundedText(`built, but its post-build-hook failed: ${reason}`),
  tail: lines.map((line) => boundedText(line)),
  hosts,
});

const readAtOnce = 64;

/** For each top, the failed hooks of everything that it is built from. */
async function hooksOf(
  { readDerivation }: HookCheckOptions["nix"],
  tops: readonly StorePath[],
  failed: ReadonlyMap<StorePath, FailedHook>,
): Promise<ReadonlyMap<StorePath, readonly FailedHook[]>> {
  const users = new Map<StorePath, StorePath[]>();
  const seen = new Set(tops);
  const queue = [...seen];
  await workThrough(queue, readAtOnce, async (drvPath) => {
    for (const input of await inputsOf(readDerivation, drvPath)) {
      const known = users.get(input);
      if (known === undefined) users.set(input, [drvPath]);
      else known.push(drvPath);
      if (!seen.has(input)) queue.push(input);
      seen.add(input);
    }
  });
  const found = new Map<StorePath, FailedHook[]>(tops.map((top) => [top, []]));
  for (const hook of failed.values()) {
    // A set gives what is added during the iteration as well.
    const above = new Set([hook.drvPath]);
    for (const drvPath of above) for (const user of users.get(drvPath) ?? []) above.add(user);
    for (const [top, hooks] of found) if (above.has(top)) hooks.push(hook);
  }
  return found;
}

/** A derivation that was collected says nothing about its inputs any more. */
async function inputsOf(
  readDerivation: Store["readDerivation"],
  drvPath: StorePath,
): Promise<readonly StorePath[]> {
  try {
    return [...(await readDerivation(drvPath)).inputDrvs.keys()];
  } catch (error) {
    if (isBug(error)) throw error;
    return [];
  }
}
