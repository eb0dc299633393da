// The closure that is deployed: what a builder stated, newest, of a commit, or of a build.
import { HomelabError } from "../base/errors.ts";
import type { BuildReader } from "../bus/bus.ts";
import type { HostAddress } from "../bus/deploy-bus.ts";
import type { StatedClosure } from "../deploy/ordering/decide-plan.ts";
import type { SignedStatement } from "../protocol/deploy/statement.ts";
import { fullName, type BuildId } from "../protocol/names.ts";
import type { HostResult } from "../protocol/results.ts";
import { openStatement } from "../signing/open-envelope.ts";
import { findBuild, readBuild } from "../fleet/find-build.ts";
import { readSummaries } from "../fleet/read-results.ts";

export interface StatementSpecification {
  /** The beginning of a commit. */
  readonly commit?: string;
  /** A build, as `findBuild` takes it. */
  readonly build?: string;
}

/** How many of the newest builds are searched for a commit. */
const lookedAt = 200;

/** By full name; hosts without a statement are left out. */
export async function findStatements(
  reader: BuildReader,
  hosts: readonly HostAddress[],
  rows: readonly HostResult[],
  { commit, build }: StatementSpecification,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, StatedClosure>> {
  if (build !== undefined) return statedIn(reader, [await findBuild(reader, build, signal)], hosts, signal);
  const newest = new Map<string, StatedClosure>();
  for (const { stated, ...row } of rows) {
    const closure = stated === undefined ? undefined : closureOf(stated, row);
    if (closure !== undefined) newest.set(fullName(row), closure);
  }
  const wanted = new Set<string>(hosts.map(fullName));
  const chosen = new Map([...newest].filter(([name]) => wanted.has(name)));
  if (commit === undefined) return chosen;
  const isWanted = (closure: StatedClosure): boolean => closure.statement.commit.startsWith(commit);
  const found = new Map([...chosen].filter(([, closure]) => isWanted(closure)));
  const missing = hosts.filter((host) => !found.has(fullName(host)));
  if (missing.length === 0) return found;
  const older = await statedIn(reader, await buildsOf(reader, commit, signal), missing, signal);
  return new Map([...found, ...[...older].filter(([, closure]) => isWanted(closure))]);
}

/** Newest first. */
async function buildsOf(
  reader: BuildReader,
  commit: string,
  signal: AbortSignal,
): Promise<readonly BuildId[]> {
  const ids = await reader.acceptedBuilds(lookedAt, signal);
  const summaries = await readSummaries(reader, ids, new Map(), signal);
  return summaries
    .filter(({ sources }) => sources.some((source) => source.commit.startsWith(commit)))
    .map(({ id }) => id);
}

async function statedIn(
  reader: BuildReader,
  ids: readonly BuildId[],
  hosts: readonly HostAddress[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, StatedClosure>> {
  const found = new Map<string, StatedClosure>();
  for (const id of ids) {
    if (hosts.every((host) => found.has(fullName(host)))) break;
    const state = await readBuild(reader, id, signal);
    for (const host of hosts) {
      const statement = state.hosts.get(fullName(host))?.finished?.statement;
      const closure = statement === undefined ? undefined : closureOf(statement, host);
      if (closure !== undefined && !found.has(fullName(host))) found.set(fullName(host), closure);
    }
  }
  return found;
}

/** Undefined for one that is not signed as it says, or is about another host: no host would take it. */
function closureOf({ statement, sig }: SignedStatement, about: HostAddress): StatedClosure | undefined {
  try {
    const signed = { statement, sig };
    const opened = openStatement(signed);
    const isAbout = opened.statement.repo === about.repo && opened.statement.host === about.host;
    return isAbout ? { ...opened, signed } : undefined;
  } catch (error) {
    if (error instanceof HomelabError) return undefined;
    throw error;
  }
}
