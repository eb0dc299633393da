// Makes the system permanent: profile first, because a boot loader only knows generations of the profile, then the boot
// loader, and then both are read back. A boot loader that could not write may well say that it did.
import { finish, goBack, timeoutMs, type Activation } from "../activation.ts";
import { decideGenerations } from "../decide-generations.ts";
import { isForNextBoot } from "../decide-step.ts";

export async function persistStep(activation: Activation, signal: AbortSignal): Promise<void> {
  const { system } = activation;
  const { order, phase, inhibited, baseline } = activation.deployment();
  if (phase !== "persisting") await activation.announce({ type: "persisting", order: order.id });
  await prune(activation, signal);
  await system.tidyBootLoader(signal);
  const { permanent } = await system.readPaths(signal);
  if (permanent?.path !== order.path) await system.setProfile(order.path, signal);
  const limit = await timeoutMs(activation, "activate");
  const { exitCode, timedOut, output } = await system.switchTo(order.path, "boot", limit, signal);
  const why =
    exitCode === 0
      ? await whyNotPermanent(activation, signal)
      : `the boot loader's program ${timedOut ? "did not end in time" : `failed (exit ${exitCode ?? "by a signal"})`}: ${lastLine(output)}`;
  if (why !== undefined) return goBack(activation, "BOOT_NOT_INSTALLED", why);
  const { booted, running } = await system.readPaths(signal);
  // A boot may have come between what was written and the word about it. What was booted long ago, and left since by a switch,
  // is not what runs.
  const isBooted = booted === order.path && running === order.path;
  const pending =
    isForNextBoot(activation.deployment()) && !isBooted
      ? (inhibited ?? "the order says so")
      : await whyReboot(activation, signal);
  if (pending !== undefined) return activation.announce({ type: "staged", order: order.id, why: pending });
  if (baseline?.bootDefault === null) {
    await activation.announce({
      type: "warning",
      order: order.id,
      text: "this boot loader cannot be read: whether it boots the new system is unknown",
    });
  }
  await finish(activation, "completed");
}

/** Undefined where the order asks for no reboot, or the system needs none. */
async function whyReboot(
  { system, deployment }: Activation,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { path, reboot } = deployment().order;
  if (reboot !== "now") return undefined;
  const { booted } = await system.readPaths(signal);
  const parts =
    booted === undefined ? ["what was booted is unknown"] : await system.rebootParts(booted, path);
  return parts.length === 0 ? undefined : `the order asks for a reboot: ${parts.join(", ")}`;
}

async function whyNotPermanent(
  { system, deployment }: Activation,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { path } = deployment().order;
  const { permanent } = await system.readPaths(signal);
  if (permanent?.path !== path) return `the profile leads to ${permanent?.path ?? "nothing"}`;
  return system.whyNotBootDefault(path, signal);
}

async function prune({ system, policy, deployment }: Activation, signal: AbortSignal): Promise<void> {
  const { order, baseline } = deployment();
  const { running, booted, permanent, bootDefault } = await system.readPaths(signal);
  const gone = decideGenerations({
    generations: await system.listGenerations(signal),
    keep: policy.keepGenerations,
    needed: [order.path, running, booted, permanent?.path, bootDefault, baseline?.running],
    held: [permanent?.generation, baseline?.permanent?.generation].filter((each) => each !== undefined),
  });
  if (gone.length > 0) await system.deleteGenerations(gone, signal);
}

const lastLine = (output: string): string => output.trim().split("\n").at(-1)?.slice(0, 300) ?? "";
