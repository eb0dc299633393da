// Moving branches: by merging, by comparing and swapping, and what compares commits.
import { type Route, route, text } from "./api.ts";
import { type GiteaApi, isFrom } from "./gitea-api.ts";

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
      if (text(call.json["do"]) !== "fast-forward-only") throw refuse(405, "not an allowed merge style");
      if (text(call.json["head_commit_id"]) !== pull.headCommit) throw refuse(409, "head out of date");
      const base = (await state.tip(pull.base)) ?? "";
      // A base that went another way is no error that it knows.
      if (!(await state.isAncestor(base, pull.headCommit))) throw refuse(500, "");
      await state.git("update-ref", `refs/heads/${pull.base}`, pull.headCommit, base);
      pull.merged = true;
      pull.state = "closed";
      return { status: 200 };
    }),
    ...(isFrom(api, 26) ? [compareAndSwap(api)] : []),
    route("GET", `${repository}/compare/{basehead}`, async ({ values }) => {
      const [from = "", to = ""] = (values["basehead"] ?? "").split("...");
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

function compareAndSwap({ state, repository, refuse, writer }: GiteaApi): Route {
  return route("PUT", `${repository}/branches/{branch}`, async (call) => {
    writer(call);
    const name = call.values["branch"] ?? "";
    const [to, from] = [text(call.json["new_commit_id"]), text(call.json["old_commit_id"])];
    const tip = await state.tip(name);
    if (tip === undefined) throw refuse(404, "The target couldn't be found.");
    if (tip === to) return { status: 204 };
    if (state.protectedBranches.has(name))
      throw refuse(403, `Not allowed to push to protected branch ${name}`);
    if (from !== "" && tip !== from) throw refuse(422, "branch commit does not match the expected one");
    if (!(await state.isAncestor(tip, to))) throw refuse(422, "not a fast-forward");
    await state.git("update-ref", `refs/heads/${name}`, to, tip);
    return { status: 204 };
  });
}
