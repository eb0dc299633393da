// One safe update of a repo's inputs, from the lease to the landing or the proposal. Each step first looks whether
// an earlier run, or the remote, has it already: so it can be killed anywhere, and run again.
import type {
  Found,
  Judging,
  Landed,
  Publishing,
  Run,
  Searching,
  Source,
  UpdateResult,
  Validated,
} from "./update.ts";
import type { BranchName, Commit } from "../protocol/names.ts";
import { makeCandidate, movedInputs, requireInputs, type Candidate, type LockMoment } from "./candidate.ts";
import { pendingStatus, statusOf } from "./land/commit-statuses.ts";
import { brokenPart } from "./search/broken-part.ts";
import { findCulprits, type CulpritOptions } from "./search/find-culprits.ts";
import { blockerOf } from "./judge/decide-blocker.ts";
import { settleDirections } from "./settle-directions.ts";
import { beginRun, momentFor, resolveMoment } from "./run-moment.ts";
import { claimBranch, offerPart } from "./branch/update-branch.ts";
import { readStanding, validateCandidate, type Standing } from "./validate-candidate.ts";

/** How often a base that moves is followed. */
const rounds = 3;

export interface UpdateOptions {
  readonly run: Run;
  readonly source: Source;
  readonly judging: Judging;
  readonly searching: Searching;
  /** Undefined in a dry run: nothing leaves this machine. */
  readonly publishing: Publishing | undefined;
}

/** The options of an update that is not a dry run. */
interface PublishedUpdate extends UpdateOptions {
  readonly publishing: Publishing;
}

/**
 * Updates, validates, and lands what builds everywhere. What does not is left on its branch for a proposal.
 *
 * @throws HomelabError `unavailable` for infrastructure faults; the next run continues.
 */
export async function runUpdate(options: UpdateOptions, signal: AbortSignal): Promise<UpdateResult> {
  const { source, publishing } = options;
  const base = await source.repository.mirror.resolveBranch(source.branch, signal);
  await beginRun(options, base);
  const round = { base, moment: await resolveMoment(options, base, signal) };
  return publishing === undefined
    ? dryRun(options, round, signal)
    : publishedRun({ ...options, publishing }, round, signal);
}

async function dryRun(options: UpdateOptions, round: Round, signal: AbortSignal): Promise<UpdateResult> {
  const candidate = await nextCandidate(options, round, signal);
  if (candidate === undefined) return endUnchanged(options.run, round);
  const fitted = await fittedBase(options, round, signal);
  const standing = await readStanding(options, fitted?.commit ?? round.base, signal);
  const validated = await validateCandidate(options, candidate, standing, signal);
  const strange = blockerOf(candidate.findings);
  const wouldLand = validated.outcome.type === "land" && strange === undefined;
  return { type: "dry-run", wouldLand, why: strange, ...validated };
}

async function publishedRun(
  options: PublishedUpdate,
  first: Round,
  signal: AbortSignal,
): Promise<UpdateResult> {
  const { run, source } = options;
  let { base, moment } = first;
  let found: Found | undefined;

  for (let number = 1; ; number++) {
    const candidate = await nextCandidate(options, { base, moment, without: leftOf(found) }, signal);
    if (candidate === undefined) return endUnchanged(run, { base });
    // First: whatever hinders it, nothing has been pushed yet.
    const fitted = await fittedBase(options, { base, moment }, signal);
    const standing = await readStanding(options, fitted?.commit ?? base, signal);
    if (fitted !== undefined) await offer(options, fitted, signal);
    let claimed = await claim(options, candidate, signal);
    const validated = await validateOpenly(options, candidate, standing, signal);
    const { outcome } = validated;
    const strange = blockerOf(candidate.findings);
    const sofar = (): { readonly branch: BranchName; readonly found?: Found } & Validated => ({
      branch: claimed,
      ...validated,
      found,
    });
    if (outcome.type === "infra") return { type: "infra", ...sofar() };
    if (outcome.type === "propose") {
      const isNew = found === undefined && outcome.label === "build-failure";
      if (isNew) found = await searchForCulprits(options, { base, moment }, standing, validated, signal);
      if (isNew && found?.landed !== undefined) {
        // What is left is proposed on top of what has landed.
        base = found.landed.commit;
        moment = await momentFor(options, base, moment, signal);
        continue;
      }
      // A part of it may have been on its branch to land, and could not.
      if (isNew) claimed = await claim(options, candidate, signal);
      return { type: "broken", ...sofar() };
    }
    if (strange !== undefined) return { type: "not-landed", why: strange, ...sofar() };
    const landed = await land(options, validated, claimed, signal);
    if (landed.type === "landed") return { type: "landed", ...sofar() };
    if (landed.type === "refused") return { type: "not-landed", why: landed.why, ...sofar() };
    if (number === rounds) {
      const message = `${source.branch} moved ${rounds} times while this was validated`;
      return { type: "not-landed", why: { reason: "race", message }, ...sofar() };
    }
    base = await source.repository.mirror.resolveBranch(source.branch, signal);
    run.log.info({ base }, "the branch has moved: the update is carried onto its new tip");
    moment = await momentFor(options, base, moment, signal);
  }
}

/** What is left after a part has landed. */
function leftOf(found: Found | undefined): Round["without"] {
  return found?.landed?.inputs;
}

async function endUnchanged({ journal }: Run, { base }: Pick<Round, "base">): Promise<UpdateResult> {
  await journal.append({ step: "ended", outcome: "no-change" });
  return { type: "no-change", base };
}

/** The base with what its flake.nix demands of its lock, and nothing else; undefined where that fits as it is. */
const fittedBase = async (
  { source }: Pick<UpdateOptions, "source">,
  { base, moment }: Round,
  signal: AbortSignal,
): Promise<Candidate | undefined> => makeCandidate(source, base, moment, [], signal);

const offer = async (
  { run, source, publishing }: PublishedUpdate,
  part: Candidate,
  signal: AbortSignal,
): Promise<void> => offerPart({ ...run, ...source, ...publishing }, part, signal);

const claim = async (
  { run, source, publishing }: PublishedUpdate,
  candidate: Candidate,
  signal: AbortSignal,
): Promise<BranchName> => claimBranch({ ...run, ...source, ...publishing }, candidate, signal);

async function validateOpenly(
  options: PublishedUpdate,
  candidate: Candidate,
  standing: Standing,
  signal: AbortSignal,
): Promise<Validated> {
  const { tellStatus } = options.publishing;
  await tellStatus(candidate.commit, pendingStatus, signal);
  const validated = await validateCandidate(options, candidate, standing, signal);
  await tellStatus(candidate.commit, statusOf(validated), signal);
  return validated;
}

/** Exactly the commit that was validated, and only onto the base that it was validated on. */
async function land(
  { run: { journal }, publishing }: PublishedUpdate,
  validated: Validated,
  updateBranch: BranchName,
  signal: AbortSignal,
): Promise<Landed> {
  const { commit, base, changes } = validated.candidate;
  const inputs = changes.map(({ path }) => path[0] ?? "");
  await journal.append({ step: "landing", commit, base, inputs });
  const landed = await publishing.land(validated, updateBranch, signal);
  if (landed.type === "landed") await journal.append({ step: "landed", commit, base });
  return landed;
}

/** The part that lands without the culprits is validated on every host like everything else. */
async function searchForCulprits(
  options: PublishedUpdate,
  round: Round,
  standing: Standing,
  validated: Validated,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const { run, source, judging, searching, publishing } = options;
  const broken = brokenPart(source, judging, validated);
  if (broken === undefined || searching.search.parts === 0) return undefined;
  const parts: CulpritOptions = {
    ...run,
    ...searching,
    ...broken.place,
    builds: judging.builds,
    kept: judging.kept,
    inputs: movedInputs(round.moment).filter((name) => source.inputs?.includes(name) !== false),
    makePart: (names, until, full = round.moment.full) =>
      makeCandidate(source, round.base, { ...round.moment, full }, names, until),
    offer: async (part, until) => offer(options, part, until),
    async land(part, until) {
      // What is known about it may be from an earlier run, so builders need not have it.
      await offer(options, part, until);
      const judged = await validateCandidate(options, part, standing, until);
      await publishing.tellStatus(part.commit, statusOf(judged), until);
      const { outcome } = judged;
      if (outcome.type !== "land") {
        const hosts = outcome.hosts.slice(0, 5).join(", ");
        return { why: outcome.type === "infra" ? `no verdict on ${hosts}` : `${hosts} would not build` };
      }
      const settled = await settleDirections(searching.history, part, until);
      const blocker = blockerOf(settled.findings);
      if (blocker !== undefined) return { why: blocker.message };
      const claimed = await claim(options, part, until);
      const landed = await land(options, judged, claimed, until);
      if (landed.type === "landed") return "landed";
      return { why: landed.type === "refused" ? landed.why.message : "the branch has moved" };
    },
  };
  return findCulprits(parts, validated.candidate, standing.commit, broken, signal);
}

interface Round {
  readonly base: Commit;
  readonly moment: LockMoment;
  /** Inputs that are not looked at any more. */
  readonly without?: readonly string[];
}

async function nextCandidate(
  { run: { journal }, source, searching }: Pick<UpdateOptions, "run" | "source" | "searching">,
  round: Round,
  signal: AbortSignal,
): Promise<Candidate | undefined> {
  const { inputs } = source;
  if (inputs !== undefined) requireInputs(inputs, round.moment.fitted);
  const isWanted = (name: string): boolean =>
    inputs?.includes(name) !== false && round.without?.includes(name) !== true;
  const wanted = movedInputs(round.moment).filter(isWanted);
  // On the base that Nix updated, Nix's own lock as it is; on another one, our inputs carried onto its lock.
  const isWhole =
    journal.last("started")?.base === round.base && inputs === undefined && round.without === undefined;
  const names = isWhole ? undefined : wanted;
  const candidate = await makeCandidate(source, round.base, round.moment, names, signal);
  if (candidate !== undefined && journal.last("candidate")?.commit !== candidate.commit) {
    const changed = candidate.changes.map(({ path }) => path[0] ?? "");
    await journal.append({ step: "candidate", commit: candidate.commit, base: round.base, inputs: changed });
  }
  return candidate && settleDirections(searching.history, candidate, signal);
}
