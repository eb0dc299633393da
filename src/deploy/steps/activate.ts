// Tries the new system: `switch-to-configuration test`, which leaves profile and boot loader as they are.
import type { SystemPaths } from "../../host/system.ts";
import { finish, goBack, linkOf, timeoutMs, type Activation } from "../activation.ts";
import { decideSwitch, type SwitchDecision } from "../decide-switch.ts";
import { lookMs, patienceMs } from "./preflight.ts";

/** What secrets need that come over the network, or from a device that is slow to appear. */
const secretsRetryMs = 15_000;

export async function activateStep(
  activation: Activation,
  signal: AbortSignal,
): Promise<{ readonly output: string }> {
  const { system, clock } = activation;
  const { order, baseline, epoch } = activation.deployment();
  if (baseline === undefined) throw new TypeError("a deployment is activated before its preflight");
  await activation.announce({
    type: "activating",
    order: order.id,
    epoch: epoch + 1,
    from: baseline.running,
  });
  const before = await system.readPaths(signal);
  const busyUntil = clock.monotonic() + patienceMs;
  let triedSecrets = false;
  for (;;) {
    const { decision, output, exitCode, after } = await tryOnce(activation, before, signal);
    switch (decision.type) {
      case "activated":
        await activation.announce({
          type: "activated",
          order: order.id,
          exit: exitCode ?? null,
          current: linkOf(after.running),
        });
        return { output };
      case "to-be-booted":
        await activation.announce(
          { type: "persisting", order: order.id },
          { inhibited: decision.why === "" ? "it has to be booted" : decision.why },
        );
        return { output };
      case "busy":
        if (clock.monotonic() < busyUntil) {
          await clock.sleep(lookMs, signal);
          continue;
        }
        await finish(activation, "failed", { code: "BUSY", detail: "another switch holds its lock" });
        return { output };
      case "secrets-missing":
        if (!triedSecrets) {
          triedSecrets = true;
          await activation.announce({
            type: "warning",
            order: order.id,
            text: `${decision.why}: once more in 15 s`,
          });
          await clock.sleep(secretsRetryMs, signal);
          continue;
        }
        await goBack(activation, "ACTIVATION_FAILED", decision.why);
        return { output };
      case "untouched":
        await finish(activation, "failed", {
          code: "ACTIVATION_FAILED",
          detail: decision.why,
          exit: exitCode,
        });
        return { output };
      case "broken":
        await goBack(activation, "ACTIVATION_FAILED", decision.why);
        return { output };
    }
  }
}

async function tryOnce(
  activation: Activation,
  before: SystemPaths,
  signal: AbortSignal,
): Promise<{
  readonly decision: SwitchDecision;
  readonly output: string;
  readonly exitCode: number | undefined;
  readonly after: SystemPaths;
}> {
  const { system } = activation;
  const { path } = activation.deployment().order;
  const result = await system.switchTo(path, "test", await timeoutMs(activation, "activate"), signal);
  const after = await system.readPaths(signal);
  const targetEtc = await system.etcOf(path);
  return {
    decision: decideSwitch({ result, before, after, target: path, targetEtc }),
    output: result.output,
    exitCode: result.exitCode,
    after,
  };
}
