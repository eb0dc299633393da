// Why an update breaks hosts: by which of its inputs, and by which revisions of these.
import type { Found, Searching, Validated } from "../update.ts";
import type { Commit, HostName } from "../../protocol/names.ts";
import { isSuccess } from "../../protocol/verdicts.ts";
import type { BuildState } from "../../protocol/build-state.ts";
import { movedBy, type InputChange } from "../../nix/lock/flake-lock-diff.ts";
import { bisectInput, type BisectedInput } from "./bisect-input.ts";
import type { BrokenPart } from "./broken-part.ts";
import type { Candidate } from "../candidate.ts";
import { breakageOf, unrepeated } from "./breakage.ts";
import { createPartJudge, type PartJudge, type PartJudgeOptions } from "./part-judge.ts";
import type { ProbeOptions } from "./probe-commit.ts";
import { searchInputs, type PartVerdict, type SearchResult } from "./search-inputs.ts";

export interface CulpritOptions extends ProbeOptions, Searching, Pick<PartJudgeOptions, "offer"> {
  /** The flake's own inputs that upstream has moved and the update contains. */
  readonly inputs: readonly string[];
  /** The base with some inputs of a lock, without one of the complete update; undefined when nothing would change. */
  readonly makePart: (
    inputs: readonly string[],
    signal: AbortSignal,
    fullLock?: string,
  ) => Promise<Candidate | undefined>;
  /** Validates it on every host, and lands it if it may; otherwise why not, in a clause. */
  readonly land: (part: Candidate, signal: AbortSignal) => Promise<"landed" | { readonly why: string }>;
}

/** Whether what an update has besides the culprits is known to build. */
export const isRestGood = ({ candidate }: Pick<Validated, "candidate">, { culprits }: Found): boolean =>
  culprits.length > 0 && culprits.flat().length < candidate.changes.length;

/** @param standing what the hosts were compared with */
export async function findCulprits(
  options: CulpritOptions,
  candidate: Candidate,
  standing: Commit,
  broken: BrokenPart,
  signal: AbortSignal,
): Promise<Found> {
  const { search, clock, inputs, log, partialLanding, keptFindings } = options;
  if (inputs.length === 0) {
    return {
      culprits: [],
      bisected: [],
      unproven: "no input has moved: only what flake.nix has changed is new",
    };
  }
  const subject = { candidate: candidate.commit, repo: options.repo, hosts: broken.hosts };
  // Where parts may land, they have to be there again.
  const before = partialLanding ? undefined : await keptFindings?.find(subject);
  if (before !== undefined) return before;
  const budget = { parts: search.parts, deadline: clock.monotonic() + search.milliseconds };
  const known = new Map([[candidate.commit, "bad"]] as [typeof candidate.commit, PartVerdict][]);
  if (isProvenGood(broken)) known.set(standing, "good");
  const breakage = breakageOf(broken.state, broken.hosts);
  const judge = createPartJudge({ ...options, base: candidate.base, breakage, budget, known });
  const test = async (part: readonly string[]): Promise<PartVerdict | undefined> =>
    part.length === inputs.length ? "bad" : judgeInputs(options, judge, part, signal);
  const searched = await searchInputs({ inputs, test });
  const { culprits, landable } = searched;
  if (judge.stopped?.includes(unrepeated) === true) await options.kept?.forget(broken.state.id);
  log.info({ culprits, landable, built: judge.built }, "looked for the inputs that break the update");
  const { landed, held } = await landRest(options, landable, signal);
  const bisected = await bisectCulprits({ ...options, judge, test }, candidate, searched, signal);
  const findings = { culprits, unproven: whyUnproven(searched, judge), bisected };
  if (judge.stopped === undefined && bisected.every(isFinal)) await keptFindings?.keep(subject, findings);
  return { ...findings, landed, held };
}

/** What could not be found out is looked for again: its history may have been unreachable. */
const isFinal = ({ firstBad, suspects }: BisectedInput): boolean =>
  firstBad !== undefined || suspects !== undefined;

/** Where the hosts were built at the base to be compared, that is the proof. */
const isProvenGood = ({ hosts, baseState }: BrokenPart): boolean =>
  hosts.every((host) => hasBuilt(baseState, host));

const hasBuilt = (state: BuildState | undefined, name: HostName): boolean =>
  [...(state?.hosts.values() ?? [])].some(
    ({ host, finished }) => host === name && finished !== undefined && isSuccess(finished.verdict),
  );

async function judgeInputs(
  { makePart }: Pick<CulpritOptions, "makePart">,
  judge: PartJudge,
  part: readonly string[],
  signal: AbortSignal,
): Promise<PartVerdict | undefined> {
  const question = part.length === 0 ? "does it build without it?" : `does it build with ${part.join(", ")}?`;
  return judge.judge(question, async (until) => makePart(part, until), signal);
}

function whyUnproven({ unproven }: SearchResult, judge: PartJudge): string | undefined {
  if (unproven === "stopped") return `the search ended: ${judge.stopped ?? "nobody could be asked"}`;
  return unproven?.reason;
}

async function landRest(
  { partialLanding, makePart, land }: CulpritOptions,
  landable: readonly string[],
  signal: AbortSignal,
): Promise<Pick<Found, "landed" | "held">> {
  const rest = partialLanding && landable.length > 0 ? await makePart(landable, signal) : undefined;
  if (rest === undefined) return {};
  const result = await land(rest, signal);
  if (result === "landed") return { landed: { commit: rest.commit, inputs: landable } };
  return { held: { inputs: landable, why: result.why } };
}

interface BisectCulpritsOptions extends CulpritOptions {
  readonly judge: PartJudge;
  readonly test: (part: readonly string[]) => Promise<PartVerdict | undefined>;
}

/** Each culprit on top of what builds, and with the inputs that it breaks hosts only together with. */
async function bisectCulprits(
  options: BisectCulpritsOptions,
  candidate: Candidate,
  { culprits, landable }: SearchResult,
  signal: AbortSignal,
): Promise<readonly BisectedInput[]> {
  const { history, makePart, judge, test } = options;
  const bisected: BisectedInput[] = [];
  for (const group of culprits) {
    for (const input of group) {
      const change = candidate.changes.find(({ path }) => path[0] === input);
      if (change === undefined) continue;
      const stays = stateThatStays(change);
      if (stays !== undefined) {
        bisected.push({ input, probes: 0, skipped: 0, note: stays });
        continue;
      }
      const others = [...new Set([...landable, ...group])].filter((each) => each !== input);
      const suspect = {
        input,
        between: { base: candidate.base, candidate: candidate.commit },
        // What moved below it is there with its old revision too, so that one has to be asked about.
        isOldGood: change.below === undefined && (await test(others)) === "good",
        isNewBad: (await test([...others, input])) === "bad",
        test: async (rev: Parameters<typeof history.lockAt>[2], until: AbortSignal) =>
          judge.judge(
            `does it build with ${input} at ${rev.slice(0, 12)}?`,
            async (within) => {
              const lock = await history.lockAt(candidate.commit, input, rev, within);
              return makePart([...others, input], within, lock);
            },
            until,
          ),
      };
      bisected.push(await bisectInput({ history, judge }, suspect, signal));
    }
  }
  return bisected;
}

/** Why it has no revisions between, where only what is below it has moved. */
function stateThatStays(change: InputChange): string | undefined {
  const moved = movedBy(change);
  if (moved[0] === change) return undefined;
  const named = moved.slice(0, 3).map(({ path, before, after }) => {
    const [old, young] = [before, after].map((state) => state?.rev?.slice(0, 7) ?? "none");
    return `${path.join("/")}, from ${old} to ${young}`;
  });
  if (named.length === 0) return "it is at the same revision as before, and declared otherwise";
  return `it is at the same revision as before; what moved is below it: ${named.join("; ")}`;
}
