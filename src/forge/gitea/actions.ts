// Gitea's Actions: which runners there are, and what the workflows of a repository ask for. Its API for runners is
// there from 1.25 on; Forgejo has another one.
import * as v from "valibot";
import { HomelabError } from "../../base/errors.ts";
import type { BranchName } from "../../protocol/names.ts";
import type { Http } from "../http/http.ts";

export interface Runner {
  readonly name: string;
  readonly isOnline: boolean;
  readonly labels: readonly string[];
}

export interface WantedLabels {
  /** `.gitea/workflows/update.yaml` */
  readonly workflow: string;
  /** The labels of one job; a runner must have all of them. */
  readonly labels: readonly string[];
}

export interface ActionsFacts {
  readonly runners: readonly Runner[];
  /** These are all runners of the server; otherwise there may be others that this token cannot see. */
  readonly isComplete: boolean;
  readonly wanted: readonly WantedLabels[];
}

export interface ActionsTarget {
  readonly owner: string;
  readonly repo: string;
  readonly branch: BranchName;
}

const RunnersAnswer = v.object({
  runners: v.nullish(
    v.array(
      v.object({
        id: v.number(),
        name: v.string(),
        status: v.string(),
        labels: v.nullish(v.array(v.object({ name: v.string() })), []),
      }),
    ),
    [],
  ),
});
const DirectoryAnswer = v.array(v.object({ path: v.string(), type: v.string() }));
const FileAnswer = v.object({ content: v.nullish(v.string(), "") });

const maxWorkflows = 50;

/** @throws HomelabError as every call does, but for what does not exist or not allowed: that is left out */
export async function readActions(
  http: Http,
  { owner, repo, branch }: ActionsTarget,
  signal: AbortSignal,
): Promise<ActionsFacts> {
  const listRunners = async (...path: string[]) =>
    orNothing(
      http.call({ method: "GET", path: [...path, "actions", "runners"], answer: RunnersAnswer }, signal),
    );
  const all = await listRunners("admin");
  // A repository's jobs are also run by runners of its owner and of the whole server.
  const lists = [all, await listRunners("repos", owner, repo), await listRunners("orgs", owner)];
  const runners = new Map(lists.flatMap((list) => list?.runners ?? []).map((runner) => [runner.id, runner]));
  return {
    runners: [...runners.values()].map(({ name, status, labels }) => ({
      name,
      isOnline: status !== "offline",
      labels: (labels ?? []).map((label) => label.name),
    })),
    isComplete: all !== undefined,
    wanted: await readWorkflows(http, ["repos", owner, repo, "contents"], branch, signal),
  };
}

async function readWorkflows(
  http: Http,
  contents: readonly string[],
  ref: string,
  signal: AbortSignal,
): Promise<readonly WantedLabels[]> {
  const wanted: WantedLabels[] = [];
  // Gitea takes the first directory that there is.
  for (const directory of [".gitea/workflows", ".github/workflows"]) {
    const call = { method: "GET", path: [...contents, directory], query: { ref } } as const;
    const files = await orNothing(http.call({ ...call, answer: DirectoryAnswer }, signal));
    if (files === undefined) continue;
    const workflows = files.filter(({ path, type }) => type === "file" && /\.ya?ml$/.test(path));
    for (const { path } of workflows.slice(0, maxWorkflows)) {
      const file = await orNothing(
        http.call({ ...call, path: [...contents, path], answer: FileAnswer }, signal),
      );
      const text = Buffer.from(file?.content ?? "", "base64").toString();
      wanted.push(...labelsOf(text).map((labels) => ({ workflow: path, labels })));
    }
    return wanted;
  }
  return wanted;
}

/** What each job of a workflow runs on: `runs-on: nix`, `runs-on: [nix, x]`, or a list below it. No expressions. */
export function labelsOf(workflow: string): readonly (readonly string[])[] {
  const jobs = workflow.matchAll(
    /^ +runs-on:[ \t]*(?<inline>[^\n#]*)(?:#[^\n]*)?\n(?<list>(?:[ \t]+-[^\n]*\n)*)/gm,
  );
  return [...jobs].flatMap(({ groups }) => {
    const inline = (groups?.["inline"] ?? "").trim().replace(/^\[|\]$/g, "");
    const list = (groups?.["list"] ?? "").replaceAll(/^[ \t]+-/gm, ",");
    const labels = (inline === "" ? list : inline)
      .split(",")
      .map((label) => label.trim().replace(/^(?<quote>["'])(?<text>.*)\k<quote>$/, "$<text>"))
      .filter((label) => label !== "");
    return labels.length === 0 || labels.some((label) => label.includes("${{")) ? [] : [labels];
  });
}

/** Undefined for what does not exist, or not for this token. */
async function orNothing<Value>(answer: Promise<{ readonly value: Value }>): Promise<Value | undefined> {
  try {
    return (await answer).value;
  } catch (error) {
    if (error instanceof HomelabError && error.kind === "refused") return undefined;
    throw error;
  }
}
