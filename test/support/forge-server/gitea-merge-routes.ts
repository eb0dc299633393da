// Moving branches by merging, and what compares commits.
import { type Route, route, text } from "./api.ts";
import type { Pull } from "./forge-state.ts";
import { type GiteaApi, isFrom } from "./gitea-api.ts";
import { newestStatuses } from "./gitea-status-routes.ts";

export function giteaMergeRoutes(api: GiteaApi): Route[] {
  const { state, repository, refuse, writer } = api;
  return [
    route("POST", `${repository}/pulls/{index}/merge`, async (call) => {
      writer(call);
      await state.refresh();
      const pull = api.pull(call);
      if (pull.state !== "open") throw refuse(404, "");
      if (pull.mergeabilityPending > 0) {
        pull.mergeabilityPending--;
        throw refuse(405, "Please try again later");
      }
      const base = (await state.tip(pull.base)) ?? "";
      const why = whyNotMerged(api, pull);
      if (why !== undefined) throw refuse(405, why);
      if (text(call.json["do"]) !== "fast-forward-only" || !state.allowsFastForward) {
        // As it stands there.
        throw refuse(405, "fast-forward-only is not allowed an allowed merge style for this repository");
      }
      if (text(call.json["head_commit_id"]) !== pull.headCommit) throw refuse(409, "head out of date");
      // A base that went another way is no error that it knows.
      if (!(await state.isAncestor(base, pull.headCommit))) throw refuse(500, "");
      await state.git("update-ref", `refs/heads/${pull.base}`, pull.headCommit, base).catch(() => {
        throw refuse(409, "merge push out of date");
      });
      pull.merged = true;
      pull.state = "closed";
      return { status: 200 };
    }),
    route("GET", `${repository}/compare/{basehead}`, async ({ values }) => {
      const [from = "", to = ""] = (values["basehead"] ?? "").split("...");
      // Seen with 1.22.3, and no longer with 1.26.0.
      if (!isFrom(api, 26) && (await state.tip(from)) === undefined) throw refuse(404, "BaseNotExist");
      const format = "--format=%H%x00%ae%x00%B%x01";
      const log = await state.git("log", format, `${from}..${to}`, "--").catch(() => {
        throw refuse(404, "The target couldn't be found.");
      });
      const commits = log
        .split("\u0001")
        .map((entry) => entry.trim().split("\0"))
        .filter(([sha = ""]) => sha !== "")
        .map(([sha, email, message]) => ({ sha, commit: { message, author: { name: "", email } } }));
      return { status: 200, json: { total_commits: commits.length, commits } };
    }),
  ];
}

/** In the order and the words of services/pull/check.go and merge.go. */
function whyNotMerged({ state }: GiteaApi, { base, headCommit, reviews }: Pull): string | undefined {
  const rule = state.protectedBranches.get(base);
  if (rule === undefined) return undefined;
  if (rule.canMerge === false) return "User not allowed to merge PR";
  const said = newestStatuses(state, headCommit);
  const isGreen = (context: string): boolean =>
    said.some((status) => status.context === context && status.state === "success");
  if (rule.requiredStatuses?.every(isGreen) === false) {
    return "Not all required status checks successful";
  }
  const approvals = reviews.filter((review) => review.state === "APPROVED").length;
  if (approvals < (rule.requiredApprovals ?? 0)) return "Does not have enough approvals";
  return undefined;
}
