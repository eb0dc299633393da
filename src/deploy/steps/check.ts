// Lets the new system settle, and asks whether it works: its own checks, and its units beside those of before.
import { withDeadline } from "../../base/deadline.ts";
import { messageOf } from "../../base/errors.ts";
import type { CheckResult, UnitFindings } from "../../protocol/deploy/deploy-events.ts";
import type { HealthCheck } from "../../protocol/deploy/host-policy.ts";
import { goBack, policyOf, timeoutMs, type Activation } from "../activation.ts";
import { failedToStart } from "../decide-switch.ts";
import { decideUnits } from "../decide-units.ts";

/** One success could be luck: a service that flaps answers now and then. */
const successesInARow = 3;
/** The last attempt also gets some time. */
const leastProbeMs = 1_000;
const lookMs = 1_000;

/** @param output of the switch, where this process has run it */
export async function checkStep(
  activation: Activation,
  output: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const { system, clock } = activation;
  const { order, baseline } = activation.deployment();
  await activation.announce({ type: "checking", order: order.id });
  const { bootId } = await system.readPaths(signal);
  const hasBooted = baseline !== undefined && baseline.bootId !== bootId;
  if (hasBooted) await waitForBoot(activation, signal);
  const afterSwitch = await system.readUnits(signal);
  await clock.sleep(await timeoutMs(activation, "settle"), signal);
  const policy = (await policyOf(system, order.path)) ?? activation.policy;
  const checks = await Promise.all(policy.healthChecks.map((check) => runCheck(activation, check, signal)));
  const found = decideUnits({
    failedBefore: baseline?.failedUnits ?? [],
    activeBefore: baseline?.activeUnits ?? [],
    afterSwitch,
    now: await system.readUnits(signal),
    wanted: await system.unitsOf(order.path, signal),
    failedToStart: output === undefined ? [] : failedToStart(output),
    ignored: policy.ignoreFailedUnits,
  });
  const units = { ...found, new: found.new.slice(0, 50), lost: found.lost.slice(0, 50) };
  const problems = whatIsWrong(checks, units);
  if (problems === undefined) {
    return activation.announce({ type: "checked", order: order.id, checks, units });
  }
  await activation.announce({ type: "warning", order: order.id, text: problems });
  await goBack(activation, "UNHEALTHY", problems);
}

/** A unit that waits for a slow one is not lost. What never comes up is seen after as long as a switch may take. */
async function waitForBoot(activation: Activation, signal: AbortSignal): Promise<void> {
  const { system, clock } = activation;
  const until = clock.monotonic() + (await timeoutMs(activation, "activate"));
  while (clock.monotonic() < until && (await system.isBooting(signal))) await clock.sleep(lookMs, signal);
}

/** Tries until it has passed three times in a row, or its time is over. */
async function runCheck(
  { probe, clock }: Activation,
  check: HealthCheck,
  signal: AbortSignal,
): Promise<CheckResult> {
  const startedAt = clock.monotonic();
  const until = startedAt + check.timeout * 1000;
  let [inARow, detail] = [0, undefined as string | undefined];
  for (;;) {
    const milliseconds = Math.max(leastProbeMs, until - clock.monotonic());
    const error = (): Error => new Error("it did not answer in time");
    const answer = await withDeadline({ clock, milliseconds, error }, signal, (limited) =>
      probe(check, limited),
    ).catch((failure: unknown) => {
      signal.throwIfAborted();
      return { ok: false, detail: messageOf(failure) };
    });
    inARow = answer.ok ? inARow + 1 : 0;
    detail = answer.ok ? detail : answer.detail;
    const ok = inARow >= successesInARow;
    if (ok || clock.monotonic() >= until) {
      const { name, critical } = check;
      const ms = Math.round(clock.monotonic() - startedAt);
      return { name, ok, ms, critical, detail: ok ? undefined : detail?.slice(0, 300) };
    }
    await clock.sleep(check.every * 1000, signal);
  }
}

/** In one line; undefined where nothing is. */
function whatIsWrong(checks: readonly CheckResult[], units: UnitFindings): string | undefined {
  const failed = checks
    .filter(({ ok, critical }) => !ok && critical)
    .map(({ name, detail }) => `the check ${name} failed${detail === undefined ? "" : ` (${detail})`}`);
  const problems = [
    ...failed,
    ...units.new.map((name) => `${name} failed`),
    ...units.lost.map((name) => `${name} does not run any more`),
  ];
  if (problems.length === 0) return undefined;
  const shown = problems.slice(0, 5).join(", ");
  const more = problems.length - 5;
  return (more > 0 ? `${shown} and ${more} more` : shown).slice(0, 2000);
}
