// Goes back to what was recorded before anything was changed, and verifies it. Lists that a killed switch left behind are
// never removed: from them the old system knows which units to start again.
import type { SwitchResult, SystemPaths } from "../../host/system.ts";
import type { StorePath } from "../../protocol/names.ts";
import { deployCodes, type DeployCode } from "../../protocol/deploy/deploy-codes.ts";
import { finish, type Activation } from "../activation.ts";
import { isLockHeld } from "../decide-switch.ts";
import { decideUnits } from "../decide-units.ts";
import type { Baseline } from "../journal.ts";

const tries = 2;
const retryMs = 10_000;
/** For units that were started again. */
const startMs = 2_000;
const lockMs = 2_000;

export async function rollBackStep(activation: Activation, signal: AbortSignal): Promise<void> {
  const { clock } = activation;
  const { baseline, undo } = activation.deployment();
  const code = codeOf(undo?.code);
  const detail = undo?.why;
  if (baseline === undefined) return finish(activation, "failed", { code, detail });
  let why: string | undefined;
  for (let attempt = 1; attempt <= tries; attempt++) {
    why = await tryToRestore(activation, baseline, signal).catch((error: unknown) => {
      signal.throwIfAborted();
      return error instanceof Error ? error.message : String(error);
    });
    if (why === undefined) {
      return finish(activation, code === "SUPERSEDED" ? "superseded" : "rolled-back", { code, detail });
    }
    if (attempt < tries) await clock.sleep(retryMs, signal);
  }
  await finish(activation, "rollback-failed", {
    code: "ROLLBACK_FAILED",
    detail: `${why}; it was to be undone because ${detail ?? "it failed"}`,
  });
}

const codeOf = (code: string | undefined): DeployCode =>
  code !== undefined && code in deployCodes ? (code as DeployCode) : "INTERRUPTED";

/** @returns what is not as it was recorded */
async function tryToRestore(
  activation: Activation,
  baseline: Baseline,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { system, policy } = activation;
  const { epoch, hasPersisted } = activation.deployment();
  const paths = await system.readPaths(signal);
  const isSameBoot = paths.bootId === baseline.bootId;
  const running = isSameBoot ? baseline.running : (bootedSystem(baseline) ?? baseline.running);
  const isWhole = paths.running === running && (await hasItsEtc(activation, paths, running));
  if (!isWhole || (isSameBoot && epoch > 0)) {
    const problem = await activateAgain(activation, running, signal);
    if (problem !== undefined) return problem;
  }
  if (hasPersisted && baseline.permanent !== null) {
    const problem = await makePermanentAgain(activation, baseline.permanent, signal);
    if (problem !== undefined) return problem;
  }
  if (isSameBoot && epoch > 0) await startLost(activation, baseline, running, signal);
  const lost = isSameBoot && epoch > 0 ? await lostUnits(activation, baseline, running, signal) : [];
  const missing = lost.filter((name) => !policy.ignoreFailedUnits.includes(name));
  if (missing.length > 0) return `${missing.slice(0, 5).join(", ")} ran before and does not now`;
  return whyNotRestored(await system.readPaths(signal), baseline, running, hasPersisted);
}

/** Where `/etc` is not made of links, this cannot be checked. */
const hasItsEtc = async (
  { system }: Pick<Activation, "system">,
  { etcStatic }: SystemPaths,
  running: StorePath,
): Promise<boolean> => etcStatic === undefined || etcStatic === (await system.etcOf(running));

/** What the machine boots while nothing was made permanent. */
const bootedSystem = ({ bootDefault, permanent }: Baseline): StorePath | undefined =>
  bootDefault ?? permanent?.path;

async function activateAgain(
  { system, policy, clock }: Activation,
  running: StorePath,
  signal: AbortSignal,
): Promise<string | undefined> {
  const limit = policy.timeouts.activate * 1000;
  const until = clock.monotonic() + limit;
  let result = await switchBack();
  // The jobs belong to whoever holds the lock.
  while (isLockHeld(result) && clock.monotonic() < until) {
    await clock.sleep(lockMs, signal);
    result = await switchBack();
  }
  const { exitCode, timedOut } = result;
  const after = await system.readPaths(signal);
  const isBack = after.running === running && (await hasItsEtc({ system }, after, running));
  // A unit of both systems that never ends keeps the switch from ending, with all the rest in its place.
  if (isBack && (exitCode === 0 || exitCode === 4 || timedOut)) return undefined;
  return `the switch back to ${running} ended with ${exitCode ?? "a signal"}, and ${after.running ?? "nothing known"} runs`;

  async function switchBack(): Promise<SwitchResult> {
    await system.cancelJobs(signal);
    return system.switchTo(running, "test", limit, signal);
  }
}

async function makePermanentAgain(
  { system, policy, deployment }: Activation,
  { path, generation }: { readonly path: StorePath; readonly generation: number },
  signal: AbortSignal,
): Promise<string | undefined> {
  const { permanent } = await system.readPaths(signal);
  if (permanent?.path !== path || permanent.generation !== generation) {
    await system.switchGeneration(generation, signal);
  }
  // A boot loader's builder writes a default only among the newest numbers: ours must not stand before it.
  const failed = (await system.listGenerations(signal)).filter(
    (each) => each.generation > generation && each.path === deployment().order.path,
  );
  if (failed.length > 0) {
    await system.deleteGenerations(
      failed.map((each) => each.generation),
      signal,
    );
  }
  await system.tidyBootLoader(signal);
  const limit = policy.timeouts.activate * 1000;
  const { exitCode } = await system.switchTo(path, "boot", limit, signal);
  return exitCode === 0
    ? undefined
    : `the old boot default cannot be written (exit ${exitCode ?? "by a signal"})`;
}

async function startLost(
  activation: Activation,
  baseline: Baseline,
  running: StorePath,
  signal: AbortSignal,
): Promise<void> {
  const { system, clock, deployment } = activation;
  const lost = await lostUnits(activation, baseline, running, signal);
  if (lost.length === 0) return;
  await activation.announce({
    type: "warning",
    order: deployment().order.id,
    text: `started again by hand: ${lost.slice(0, 20).join(", ")}`.slice(0, 2000),
  });
  await system.startUnits(lost, signal);
  await clock.sleep(startMs, signal);
}

async function lostUnits(
  { system }: Activation,
  baseline: Baseline,
  running: StorePath,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const now = await system.readUnits(signal);
  return decideUnits({
    failedBefore: now.map(({ name }) => name),
    activeBefore: baseline.activeUnits,
    afterSwitch: now,
    now,
    wanted: await system.unitsOf(running, signal),
    failedToStart: [],
    ignored: [],
  }).lost;
}

function whyNotRestored(
  paths: SystemPaths,
  baseline: Baseline,
  running: StorePath,
  hasPersisted: boolean,
): string | undefined {
  if (paths.running !== running) return `${paths.running ?? "nothing known"} runs, and not ${running}`;
  if (!hasPersisted || baseline.permanent === null) return undefined;
  if (paths.permanent?.path !== baseline.permanent.path) {
    return `the profile leads to ${paths.permanent?.path ?? "nothing"}, and not to ${baseline.permanent.path}`;
  }
  if (baseline.bootDefault !== null && paths.bootDefault !== baseline.bootDefault) {
    return `the machine would boot ${paths.bootDefault ?? "something unknown"}, and not ${baseline.bootDefault}`;
  }
  return undefined;
}
