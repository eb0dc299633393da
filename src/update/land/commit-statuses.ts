// The verdict of an update on its commit, where the forge's pages and the rules of protected branches look for it.
import { isBug } from "../../base/errors.ts";
import type { Log } from "../../base/log.ts";
import type { CommitStatusSpecification, Forge } from "../../forge/forge.ts";
import type { Commit } from "../../protocol/names.ts";
import { gatedHosts } from "../judge/judge-downstream.ts";
import type { Validated } from "../update.ts";

/** One for the whole update: hosts have no status of their own. */
export const statusContext = "homelab-deploy/update";

export const pendingStatus: CommitStatusSpecification = {
  context: statusContext,
  state: "pending",
  description: "All hosts are being built.",
};

/** Green says that every host builds, not that it lands: strange locks build too. */
export function statusOf(
  validated: Pick<Validated, "outcome" | "classes" | "downstream">,
): CommitStatusSpecification {
  const { outcome } = validated;
  const total = gatedHosts(validated);
  const context = statusContext;
  const all = total === 1 ? "the one host" : `all ${total} hosts`;
  switch (outcome.type) {
    case "land":
      return { context, state: "success", description: `It builds on ${all}.` };
    case "infra":
      return { context, state: "error", description: "No verdict on some hosts; the next run retries." };
    case "propose": {
      const some = `${outcome.hosts.length} of ${total} hosts`;
      const description =
        outcome.label === "build-failure"
          ? `It breaks ${some}.`
          : `${some} do not build, and did not before either.`;
      return { context, state: "failure", description };
    }
  }
}

/** Says it if it can: landing and proposing do not depend on it. */
export async function tellStatus(
  { forge, log }: { readonly forge: Pick<Forge, "ensureStatus"> | undefined; readonly log: Log },
  commit: Commit,
  status: CommitStatusSpecification,
  signal: AbortSignal,
): Promise<void> {
  try {
    await forge?.ensureStatus(commit, status, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (isBug(error)) throw error;
    log.warn({ commit, err: error }, "the commit's status could not be reported to the forge");
  }
}
