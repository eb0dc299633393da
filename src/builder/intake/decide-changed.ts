// Which hosts a request for what changed since a commit is about.
import type { Commit, HostName, StorePath } from "../../protocol/names.ts";
import type { Acceptance } from "./decide-acceptance.ts";

type Accepted = Extract<Acceptance, { type: "accept" }>;
export type Compared = Exclude<Acceptance, { type: "unknown" }>;

/** By host; none for a host that does not exist or does not evaluate. */
export type Derivations = ReadonlyMap<HostName, StorePath>;

/**
 * Leaves out the hosts whose derivation is the same at both commits. One that cannot be compared, because it is new or
 * does not evaluate at one of them, is built.
 */
export function decideChanged(
  acceptance: Accepted,
  {
    base,
    before,
    after,
  }: { readonly base: Commit; readonly before: Derivations; readonly after: Derivations },
): Compared {
  const isSame = (host: HostName): boolean => after.has(host) && after.get(host) === before.get(host);
  const hosts = acceptance.hosts.filter(({ host }) => !isSame(host));
  const { complete: _, ...chosen } = acceptance;
  if (hosts.length > 0) {
    const reason = `its system is the same as at ${base.slice(0, 7)}`;
    const same = acceptance.hosts.filter(({ host }) => isSame(host)).map((host) => ({ ...host, reason }));
    return { ...chosen, hosts, skipped: [...acceptance.skipped, ...same] };
  }
  const [source] = acceptance.sources;
  const where = source === undefined ? "" : ` of ${source.repo} at ${source.commit.slice(0, 7)}`;
  return {
    type: "reject",
    code: "NO_CHANGES",
    message: `no host${where} differs from what it is at ${base.slice(0, 7)}`,
    hint: "there is nothing to build",
  };
}
