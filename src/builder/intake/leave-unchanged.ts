// Leaves out of a build what is the same at another commit.
import { HomelabError } from "../../base/errors.ts";
import type { HostName } from "../../protocol/names.ts";
import type { Priority } from "../../protocol/request.ts";
import type { EvaluateOnly } from "../evaluation/evaluate-only.ts";
import type { BuildSource } from "../work.ts";
import type { Acceptance } from "./decide-acceptance.ts";
import { decideChanged, type Compared, type Derivations } from "./decide-changed.ts";

export interface Comparison {
  /** The hosts to build. */
  readonly source: BuildSource;
  /** What it is compared with. */
  readonly base: { readonly source: BuildSource; readonly names: () => Promise<readonly string[]> };
  readonly priority: Priority;
  readonly evaluate: EvaluateOnly;
  readonly onNote: (note: string) => void;
}

export async function leaveUnchanged(
  acceptance: Extract<Acceptance, { type: "accept" }>,
  { source, base, priority, evaluate, onNote }: Comparison,
  signal: AbortSignal,
): Promise<Compared> {
  const { commit } = base.source;
  const hosts = acceptance.hosts.map(({ host }) => host);
  const done = { before: 0, after: 0 };
  const evaluated = async (
    which: keyof typeof done,
    of: BuildSource,
    some: readonly HostName[],
  ): Promise<Derivations> =>
    evaluate(
      {
        source: of,
        hosts: some,
        priority,
        onProgress(count) {
          done[which] = count;
          const counts = `${done.after} of ${hosts.length} evaluated, ${done.before} of them there too`;
          onNote(`${source.repo}: comparing hosts with ${commit.slice(0, 7)}: ${counts}`);
        },
      },
      signal,
    );
  const [before, after] = await Promise.all([
    hostsAt(base, hosts, signal).then(async (some) => evaluated("before", base.source, some)),
    evaluated("after", source, hosts),
  ]);
  return decideChanged(acceptance, { base: commit, before, after });
}

/** The hosts that exist: none if the flake does not evaluate. */
async function hostsAt(
  { names }: Comparison["base"],
  hosts: readonly HostName[],
  signal: AbortSignal,
): Promise<readonly HostName[]> {
  try {
    const known = new Set(await names());
    return hosts.filter((host) => known.has(host));
  } catch (error) {
    if (signal.aborted || !(error instanceof HomelabError) || error.kind !== "failed") throw error;
    return [];
  }
}
