// `homelab-deploy inputs`: what the flakes of the repos are pinned to, and how far behind upstream that is.
import { type FlakeLock, inputResolver, nodeAt, rootInputs } from "../../../nix/lock/flake-lock.ts";
import { diffLocks, inputState, type InputChange } from "../../../nix/lock/flake-lock-diff.ts";
import type { Commit, RepoName } from "../../../protocol/names.ts";
import { whenText, type ListPrint } from "./builds-table.ts";
import type { Style } from "../style.ts";
import { renderTable } from "./table.ts";

export interface InputSummary {
  readonly repo: RepoName;
  /** Of the repo's branch: whose lock this is. */
  readonly commit: Commit;
  readonly input: string;
  /** `github:NixOS/nixpkgs`. Text from outside. */
  readonly source: string;
  /** The path of the input that stands for it, such as `home-manager/nixpkgs`. */
  readonly follows?: string;
  readonly rev?: string;
  /** RFC 3339, UTC: the age of the pinned state. */
  readonly lastModified?: string;
  /** Absent when upstream was not asked, and for what follows another input. */
  readonly upstream?: UpstreamState;
}

export type UpstreamState =
  | { readonly state: "up-to-date" }
  /** Nobody could say. */
  | { readonly state: "unknown" }
  | {
      /** `moved-back`: what is there now is older than what is pinned. */
      readonly state: "behind" | "moved-back";
      readonly rev?: string;
      readonly lastModified?: string;
      /** From the pinned state to the newest; absent where one of them has no time. */
      readonly seconds?: number;
    };

export interface LockToList {
  readonly repo: RepoName;
  readonly commit: Commit;
  readonly lock: FlakeLock;
  /** What upstream has now; `unknown` when it did not answer, absent when it was not asked. */
  readonly newest?: FlakeLock | "unknown";
}

/** Every input of the flake itself, by its name. */
export function summarizeInputs({ repo, commit, lock, newest }: LockToList): InputSummary[] {
  const resolve = inputResolver(lock);
  const changes = newest === undefined || newest === "unknown" ? newest : diffLocks(lock, newest);
  const summaries = Object.entries(rootInputs(lock)).map(([input, edge]): InputSummary => {
    const { locked } = nodeAt(lock, resolve([input]) ?? lock.root);
    const { source = "unknown", rev, lastModified } = locked === undefined ? {} : inputState(locked);
    const follows = typeof edge === "string" ? undefined : edge.join("/");
    return {
      repo,
      commit,
      input,
      source,
      follows,
      rev,
      ...timeField(lastModified),
      ...(changes !== undefined && follows === undefined && { upstream: upstreamState(input, changes) }),
    };
  });
  return summaries.toSorted((a, b) => a.input.localeCompare(b.input, "en"));
}

function upstreamState(input: string, changes: readonly InputChange[] | "unknown"): UpstreamState {
  if (changes === "unknown") return { state: "unknown" };
  const change = changes.find(({ path }) => path[0] === input);
  if (change === undefined) return { state: "up-to-date" };
  const { before, after, downgraded } = change;
  const [old, young] = [before?.lastModified, after?.lastModified];
  return {
    state: downgraded ? "moved-back" : "behind",
    rev: after?.rev,
    ...timeField(young),
    ...(old !== undefined && young !== undefined && { seconds: Math.abs(young - old) }),
  };
}

const maxSeconds = 8_640_000_000_000; // the last moment of a JavaScript Date

function timeField(seconds: number | undefined): { lastModified?: string } {
  if (seconds === undefined || Math.abs(seconds) > maxSeconds) return {};
  return { lastModified: new Date(seconds * 1000).toISOString() };
}

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
        lastModified === undefined ? "" : whenText(new Date(lastModified), print),
        upstream === undefined ? "" : upstreamText(upstream, style),
      ]),
    },
    { style, width, indent: "" },
  );
  return `${table.join("\n")}\n`;
}

function upstreamText(upstream: UpstreamState, style: Style): string {
  switch (upstream.state) {
    case "up-to-date":
      return style.green("up to date");
    case "unknown":
      return style.yellow("no answer");
    case "moved-back":
      return style.yellow(`moved back${daysText(upstream.seconds)}`);
    case "behind":
      return style.yellow(`behind${daysText(upstream.seconds)}`);
  }
}

/** ` 12 d` */
function daysText(seconds: number | undefined): string {
  if (seconds === undefined) return "";
  const days = Math.floor(seconds / 86_400);
  return days === 0 ? " less than a day" : ` ${days} d`;
}
