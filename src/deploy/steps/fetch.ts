// Brings the closure onto the host, and proves that it is the one that was stated. Nothing is changed but the store.
import { HomelabError } from "../../base/errors.ts";
import { deployCodes, type DeployCode } from "../../protocol/deploy/deploy-codes.ts";
import type { FetchRequest } from "../../host/closure-fetcher.ts";
import { finish, isAlreadyThere, timeoutMs, type Activation } from "../activation.ts";

export async function fetchStep(activation: Activation, signal: AbortSignal): Promise<void> {
  const { system, fetcher, clock } = activation;
  const { order } = activation.deployment();
  const paths = await system.readPaths(signal);
  if (order.action === "switch" && order.reboot === "never" && isAlreadyThere(paths, order.path)) {
    return finish(activation, "unchanged");
  }
  const request = await requestFor(activation);
  const startedAt = clock.monotonic();
  try {
    const { paths: count, bytes } = await fetcher.plan(request, signal);
    await activation.announce({ type: "fetching", order: order.id, paths: count, bytes });
    await fetcher.fetch(request, signal);
    const ms = Math.round(clock.monotonic() - startedAt);
    await activation.announce({ type: "fetched", order: order.id, ms, paths: count, bytes });
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof HomelabError)) throw error;
    await finish(activation, "failed", { code: codeOf(error), detail: error.message });
  }
}

async function requestFor(activation: Activation): Promise<FetchRequest> {
  const { policy } = activation;
  const { order, statement } = activation.deployment();
  return {
    path: order.path,
    narHash: statement?.narHash,
    root: order.id,
    trustedCacheKeys: policy.trustedCacheKeys,
    // What the host ran before was proven then.
    trustLocalBuilds: policy.trustLocalBuilds || order.kind === "rollback",
    minFreeBytes: policy.minFreeBytes,
    timeoutMs: await timeoutMs(activation, "fetch"),
  };
}

/** What keeps a closure from coming that has no code of its own, is that it could not be had. */
const codeOf = ({ code }: HomelabError): DeployCode =>
  code !== undefined && code in deployCodes ? (code as DeployCode) : "NOT_CACHED";
