// `/inputs`: what the newest build of each branch says its inputs are locked to, and what updates tell about them. How far
// they are behind upstream only the command asks.
import { isOfTip } from "../../protocol/events.ts";
import type { LockedInput } from "../../protocol/locked-inputs.ts";
import type { BuildId, RepoName } from "../../protocol/names.ts";
import type { UpdateEvent } from "../../protocol/update-events.ts";
import { html, type Html } from "../page/html.ts";
import { section, type Page } from "../page/page.ts";
import { bar, commands, commit, moment, nothing, state, table } from "../page/parts.ts";
import type { FleetPicture } from "../state/fleet-picture.ts";
import type { PageContext } from "./page-context.ts";
import { readBuildsOf } from "./read-builds-of.ts";

export interface KnownInput {
  readonly repo: RepoName;
  readonly input: string;
  /** Absent where no build tells. */
  readonly locked?: LockedInput;
  /** The last update that moved it and landed. */
  readonly movedAt?: string;
  readonly commit?: string;
  /** Why the last update could not reach it. */
  readonly unavailable?: { readonly reason: string; readonly runs: number; readonly needsPerson: boolean };
}

/**
 * @param locked what the newest build says; undefined where it does not
 * @param runs of the repo, oldest first
 */
export function inputsOf(
  repo: RepoName,
  locked: readonly LockedInput[] | undefined,
  runs: readonly UpdateEvent[],
): readonly KnownInput[] {
  const found = new Map<string, KnownInput>(
    locked?.map((each) => [each.input, { repo, input: each.input, locked: each }]),
  );
  // An input of former days is in no lock any more.
  const isKnown = (input: string): boolean => locked === undefined || found.has(input);
  for (const { outcome, inputs, at, commit: landed } of runs) {
    for (const input of inputs.filter(isKnown)) {
      const known = found.get(input) ?? { repo, input };
      found.set(input, outcome === "landed" ? { ...known, movedAt: at, commit: landed } : known);
    }
  }
  for (const { input, reason, runs: count, needsPerson } of runs.at(-1)?.unavailable ?? []) {
    found.set(input, {
      ...(found.get(input) ?? { repo, input }),
      unavailable: { reason, runs: count, needsPerson },
    });
  }
  return [...found.values()].toSorted((a, b) => a.input.localeCompare(b.input, "en"));
}

/** The newest build of each repo's branch. */
export function newestOfTips({ builds }: Pick<FleetPicture, "builds">): ReadonlyMap<RepoName, BuildId> {
  const newest = new Map<RepoName, BuildId>();
  for (const { id, sources } of builds) {
    for (const source of sources.filter(isOfTip)) {
      if (!newest.has(source.repo)) newest.set(source.repo, id);
    }
  }
  return newest;
}

const dayMs = 86_400_000;
/** The bar is full then: a release of nixpkgs is supported for seven months. */
const oldMs = 210 * dayMs;

function age({ madeAt }: LockedInput, now: Date): Html | undefined {
  if (madeAt === undefined) return undefined;
  const share = (now.getTime() - madeAt * 1000) / oldMs;
  return html`${bar(share, share > 0.5 ? "warn" : "good")} ${moment(new Date(madeAt * 1000).toISOString())}`;
}

function stateOf({ unavailable, locked, movedAt }: KnownInput): Html {
  if (unavailable !== undefined) return state(unavailable.needsPerson ? "bad" : "warn", "unreachable");
  if (locked?.isPinned === true) return state("idle", "pinned");
  return movedAt === undefined ? state("idle", "locked") : state("good", "updated");
}

export async function inputsPage(context: PageContext, signal: AbortSignal): Promise<Page> {
  const { picture, reader, now } = context;
  const tips = newestOfTips(picture);
  const builds = await readBuildsOf(context, [...new Set(tips.values())], signal);
  const lockedOf = (repo: RepoName): readonly LockedInput[] | undefined =>
    builds.find(({ id }) => id === tips.get(repo))?.sources.find((source) => source.repo === repo)?.inputs;
  const repos = new Set([...tips.keys(), ...picture.updates.map(({ repo }) => repo)]);
  const inputs = (
    await Promise.all(
      [...repos].map(async (repo) => inputsOf(repo, lockedOf(repo), await reader.updates.of(repo, signal))),
    )
  ).flat();
  return {
    status: 200,
    title: "Inputs",
    tone: "idle",
    place: "/inputs",
    sections: [
      section("head", html`<h1>Inputs</h1>`),
      section(
        "inputs",
        inputs.length === 0
          ? nothing(
              "No build or update has reported an input yet",
              html`<p>What every input is locked to, and how old that is:</p>`,
            )
          : table(
              "Inputs of the flakes, as the newest builds of the branches have them",
              [
                { title: "Input" },
                { title: "Repo" },
                { title: "State" },
                { title: "Age" },
                { title: "Locked to" },
                { title: "Last update" },
                { title: "By commit" },
                { title: "Source", className: "wide" },
              ],
              inputs.map((each) => [
                each.input,
                each.repo,
                stateOf(each),
                each.locked && age(each.locked, now),
                commit(each.locked?.rev?.replace(/^sha256-/, "")),
                html`${moment(each.movedAt)}`,
                html`${commit(each.commit)}`,
                each.unavailable === undefined
                  ? (each.locked?.source ?? "")
                  : `${each.unavailable.reason} (${each.unavailable.runs} in a row)`,
              ]),
            ),
      ),
      section(
        "commands",
        html`<h2>On the command line</h2>`,
        commands([
          ["ages and revisions of all inputs", "homelab-deploy inputs"],
          ["how far they are behind upstream", "homelab-deploy inputs --check"],
        ]),
      ),
    ],
  };
}
