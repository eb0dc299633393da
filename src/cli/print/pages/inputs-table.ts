// `homelab-deploy inputs`: what the flakes of the repos are pinned to, and how far behind upstream that is.
import { isDeepStrictEqual } from "node:util";
import {
  type FlakeLock,
  type FlakeReference,
  inputResolver,
  nodeAt,
  rootInputs,
} from "../../../nix/lock/flake-lock.ts";
import { diffLocks, inputState, type InputChange } from "../../../nix/lock/flake-lock-diff.ts";
import type { Commit, RepoName } from "../../../protocol/names.ts";
import type { UnavailableKind } from "../../../update/update-reachable.ts";
import { whenText, type ListPrint } from "./builds-table.ts";
import type { Style } from "../style.ts";
import { renderTable } from "./table.ts";

export interface InputSummary {
  readonly repo: RepoName;
  /** The commit of the repo's branch: whose lock this is. */
  readonly commit: Commit;
  readonly input: string;
  /** `github:NixOS/nixpkgs`. Text from outside. */
  readonly source: string;
  /** The path of the input that stands for it, such as `home-manager/nixpkgs`. */
  readonly follows?: string;
  readonly rev?: string;
  /** RFC 3339, UTC: the age of the pinned state; absent where its lock has no time that says so. */
  readonly lastModified?: string;
  /** Absent when upstream was not asked, and for what follows another input. */
  readonly upstream?: UpstreamState;
}

export type UpstreamState =
  | { readonly state: "up-to-date" }
  /** Nobody could say. */
  | { readonly state: "unknown" }
  /** Its remote answers, and does not have what flake.nix asks for, or that does not fit. */
  | { readonly state: "failed" }
  /** flake.nix declares it, or declares it otherwise, and flake.lock does not have that. */
  | { readonly state: "not-locked" }
  /** flake.lock has it, and flake.nix does not declare it any more. */
  | { readonly state: "not-declared" }
  | {
      /** `moved-back`: what is there now is older than what is pinned. */
      readonly state: "behind" | "moved-back";
      readonly rev?: string;
      readonly lastModified?: string;
      /** From the pinned state to the newest; absent where one of them has no time, or it stands still itself. */
      readonly seconds?: number;
      /** Inputs below it that moved, by their paths: it has no lock of its own. */
      readonly below?: readonly string[];
    };

/** What upstream has now. */
export interface NewestInputs {
  /** The lock as flake.nix demands it, with nothing brought up to date. */
  readonly fitted: FlakeLock;
  /** Undefined when nothing could be reached. */
  readonly full: FlakeLock | undefined;
  /** Inputs that stay in it as they are, because they could not be had. */
  readonly unavailable: ReadonlyMap<string, { readonly kind: UnavailableKind }>;
}

export interface LockToList {
  readonly repo: RepoName;
  readonly commit: Commit;
  readonly lock: FlakeLock;
  /** `unknown` when nobody could say, absent when upstream was not asked. */
  readonly newest?: NewestInputs | "unknown";
}

/** Every input of the flake itself, by its name. */
export function summarizeInputs({ repo, commit, lock, newest }: LockToList): InputSummary[] {
  const pinned = rootInputs(lock);
  const fitted = newest === undefined || newest === "unknown" ? lock : newest.fitted;
  const names = new Set([...Object.keys(pinned), ...Object.keys(rootInputs(fitted))]);
  const upstreamOf = newest === undefined ? undefined : upstreamStates(lock, newest);
  const summaries = [...names].map((input): InputSummary => {
    const isPinned = Object.hasOwn(pinned, input);
    const { follows, locked } = findInput(isPinned ? lock : fitted, input);
    const { source = "unknown", rev, lastModified } = locked === undefined ? {} : inputState(locked);
    const upstream = upstreamOf?.(input);
    return {
      repo,
      commit,
      input,
      source,
      follows,
      ...(isPinned && { rev, ...timeField(lastModified) }),
      ...(upstream !== undefined && { upstream }),
    };
  });
  return summaries.toSorted((a, b) => a.input.localeCompare(b.input, "en"));
}

function findInput(
  lock: FlakeLock,
  input: string,
): {
  readonly follows: string | undefined;
  readonly original?: FlakeReference | undefined;
  readonly locked?: FlakeReference | undefined;
} {
  const edge = rootInputs(lock)[input];
  const key = inputResolver(lock)([input]);
  const follows = typeof edge === "object" ? edge.join("/") : undefined;
  return { follows, ...(key === undefined ? {} : nodeAt(lock, key)) };
}

/** Nothing of what follows another, in flake.lock as in flake.nix. */
function upstreamStates(
  lock: FlakeLock,
  newest: NewestInputs | "unknown",
): (input: string) => UpstreamState | undefined {
  const unknown = { state: "unknown" } as const;
  if (newest === "unknown") {
    return (input) => (findInput(lock, input).follows === undefined ? unknown : undefined);
  }
  const { fitted, full, unavailable } = newest;
  const changes = full === undefined ? undefined : diffLocks(lock, full);
  return (input) => {
    if (!Object.hasOwn(rootInputs(fitted), input)) return { state: "not-declared" };
    const [pinned, declared] = [findInput(lock, input), findInput(fitted, input)];
    const isLocked =
      Object.hasOwn(rootInputs(lock), input) &&
      pinned.follows === declared.follows &&
      (declared.follows !== undefined || isDeepStrictEqual(pinned.original, declared.original));
    if (!isLocked) return { state: "not-locked" };
    if (declared.follows !== undefined) return undefined;
    const fault = unavailable.get(input);
    if (fault !== undefined) return fault.kind === "failed" ? { state: "failed" } : unknown;
    return changes === undefined ? unknown : changedState(input, changes);
  };
}

function changedState(input: string, changes: readonly InputChange[]): UpstreamState {
  const change = changes.find(({ path }) => path[0] === input);
  if (change === undefined) return { state: "up-to-date" };
  const { before, after, downgraded, below } = change;
  const [old, young] = [before?.lastModified, after?.lastModified];
  const isStill = isDeepStrictEqual(before, after);
  return {
    state: downgraded ? "moved-back" : "behind",
    rev: after?.rev,
    ...timeField(young),
    ...(!isStill && old !== undefined && young !== undefined && { seconds: Math.abs(young - old) }),
    ...(below !== undefined && { below: below.map(({ path }) => path.join("/")) }),
  };
}

/** The field of a meaningful time (`usableTime`). */
const timeField = (seconds: number | undefined): { lastModified?: string } =>
  seconds === undefined ? {} : { lastModified: new Date(seconds * 1000).toISOString() };

/** Text that ends in a newline, safe to print. */
export function renderInputs(inputs: readonly InputSummary[], print: ListPrint): string {
  const { style, width } = print;
  if (inputs.length === 0) return "the flakes have no inputs\n";
  const severalRepos = new Set(inputs.map(({ repo }) => repo)).size > 1;
  const table = renderTable(
    {
      columns: [
        { title: "Repo" },
        { title: "Input" },
        { title: "Source", flexible: true },
        { title: "Revision" },
        { title: "Age" },
        { title: "Upstream" },
      ],
      rows: inputs.map(({ repo, input, source, follows, rev, lastModified, upstream }) => [
        severalRepos ? repo : "",
        style.clean(input),
        style.clean(follows === undefined ? source : `follows ${follows}`),
        style.clean(rev?.slice(0, 7) ?? ""),
        lastModified === undefined ? unknownAge(upstream) : whenText(new Date(lastModified), print),
        upstream === undefined ? "" : upstreamText(upstream, style),
      ]),
    },
    { style, width, indent: "" },
  );
  return `${table.join("\n")}\n`;
}

/** A path, a file or an archive may have no time that says when it was made; what is not locked has no age. */
const unknownAge = (upstream: UpstreamState | undefined): string =>
  upstream?.state === "not-locked" ? "" : "unknown";

function upstreamText(upstream: UpstreamState, style: Style): string {
  switch (upstream.state) {
    case "up-to-date":
      return style.green("up to date");
    case "unknown":
      return style.yellow("no answer");
    case "failed":
      return style.red("cannot be updated");
    case "not-locked":
      return style.yellow("not locked");
    case "not-declared":
      return style.yellow("not in flake.nix");
    case "moved-back":
      return style.yellow(`moved back${daysText(upstream.seconds)}`);
    case "behind":
      return style.yellow(`behind${daysText(upstream.seconds)}${belowText(upstream, style)}`);
  }
}

/** Where it stands still itself: what moved below it. */
function belowText(
  { seconds, below = [] }: { seconds?: number; below?: readonly string[] },
  style: Style,
): string {
  if (seconds !== undefined || below.length === 0) return "";
  return ` by ${style.clean(below[0] ?? "")}${below.length === 1 ? "" : ` and ${below.length - 1} more`}`;
}

/** ` 12 d` */
function daysText(seconds: number | undefined): string {
  if (seconds === undefined) return "";
  const days = Math.floor(seconds / 86_400);
  return days === 0 ? " less than a day" : ` ${days} d`;
}
