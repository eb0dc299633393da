// `/inputs`: what updates tell about each flake input. What every input is pinned to is in the repos, which the dashboard
// does not read; the command does.
import type { RepoName } from "../../protocol/names.ts";
import type { UpdateEvent } from "../../protocol/update-events.ts";
import { html } from "../page/html.ts";
import { section, type Page } from "../page/page.ts";
import { commands, commit, moment, nothing, state, table } from "../page/parts.ts";
import type { PageContext } from "./page-context.ts";

export interface KnownInput {
  readonly repo: RepoName;
  readonly input: string;
  /** The last update that moved it and landed. */
  readonly movedAt?: string;
  readonly commit?: string;
  /** Why the last update could not reach it. */
  readonly unavailable?: { readonly reason: string; readonly runs: number; readonly needsPerson: boolean };
}

/** @param runs of one repo, oldest first */
export function inputsOf(repo: RepoName, runs: readonly UpdateEvent[]): readonly KnownInput[] {
  const found = new Map<string, KnownInput>();
  for (const { outcome, inputs, at, commit: landed } of runs) {
    for (const input of inputs) {
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

export async function inputsPage({ picture, reader }: PageContext, signal: AbortSignal): Promise<Page> {
  const inputs = (
    await Promise.all(
      picture.updates.map(async ({ repo }) => inputsOf(repo, await reader.updates.of(repo, signal))),
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
              "No update has reported an input yet",
              html`<p>What every input is pinned to, and how old that is:</p>`,
            )
          : table(
              "Inputs reported by updates",
              [
                { title: "Input" },
                { title: "Repo" },
                { title: "State" },
                { title: "Last moved" },
                { title: "By commit" },
                { title: "Reason", className: "wide" },
              ],
              inputs.map(({ input, repo, movedAt, commit: hash, unavailable }) => [
                input,
                repo,
                unavailable === undefined
                  ? movedAt === undefined
                    ? state("idle", "not moved")
                    : state("good", "moved")
                  : state(unavailable.needsPerson ? "bad" : "warn", "unreachable"),
                html`${moment(movedAt)}`,
                html`${commit(hash)}`,
                unavailable === undefined ? "" : `${unavailable.reason} (${unavailable.runs} in a row)`,
              ]),
            ),
      ),
      section(
        "commands",
        html`<h2>On the command line</h2>`,
        commands([
          ["ages and pins of all inputs", "homelab-deploy inputs"],
          ["how far they are behind upstream", "homelab-deploy inputs --check"],
        ]),
      ),
    ],
  };
}
