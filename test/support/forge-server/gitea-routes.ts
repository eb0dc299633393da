// Gitea's API, and Forgejo's, with the traps that they have.
import { type ApiContext, pageOf, Refusal, type Route, route, text } from "./api.ts";
import type { Pull } from "./forge-state.ts";
import { type GiteaApi, isFrom, mostItemsOfAPage } from "./gitea-api.ts";
import { giteaAttachmentRoutes } from "./gitea-attachment-routes.ts";
import { giteaJson } from "./gitea-json.ts";
import { giteaLabelRoutes } from "./gitea-label-routes.ts";
import { giteaMergeRoutes } from "./gitea-merge-routes.ts";
import { giteaReviewRoutes } from "./gitea-review-routes.ts";
import { giteaStatusRoutes } from "./gitea-status-routes.ts";

export function giteaRoutes(context: ApiContext, kind: GiteaApi["kind"], version: string): readonly Route[] {
  const { state, rootUrl } = context;
  const refuse = (status: number, message: string): Refusal =>
    new Refusal({ status, json: { message, url: `${rootUrl}/api/swagger` } });
  const api: GiteaApi = {
    ...context,
    kind,
    version,
    json: giteaJson(state, rootUrl),
    repository: `/repos/${state.owner}/${state.name}`,
    refuse,
    writer({ user }) {
      if (user === undefined) throw refuse(401, "token is required");
      if (state.archived) throw refuse(423, `${state.owner}/${state.name} is archived`);
      return user;
    },
    pull({ values }) {
      const pull = state.pulls.find(({ number }) => String(number) === values["index"]);
      if (pull === undefined) throw refuse(404, "The target couldn't be found.");
      return pull;
    },
  };
  return [
    ...serverRoutes(api),
    ...branchRoutes(api),
    ...pullRoutes(api),
    ...commentRoutes(api),
    ...giteaAttachmentRoutes(api),
    ...giteaLabelRoutes(api),
    ...giteaMergeRoutes(api),
    ...giteaReviewRoutes(api),
    ...giteaStatusRoutes(api),
  ];
}

function serverRoutes({ state, json, repository, version, refuse }: GiteaApi): Route[] {
  return [
    route("GET", "/version", () => ({ status: 200, json: { version } })),
    route("GET", "/settings/attachment", () => ({ status: 200, json: state.attachments })),
    route("GET", "/user", ({ user }) => {
      if (user === undefined) throw refuse(401, "token is required");
      return { status: 200, json: json.user(user.login) };
    }),
    route("GET", repository, ({ user }) => ({ status: 200, json: json.repository(user) })),
  ];
}

function branchRoutes({ state, repository, refuse, writer }: GiteaApi): Route[] {
  const path = `${repository}/branches/{branch}`;
  return [
    route("GET", path, async ({ values, user }) => {
      const name = values["branch"] ?? "";
      const id = await state.tip(name);
      if (id === undefined) throw refuse(404, "The target couldn't be found.");
      const rule = state.protectedBranches.get(name);
      const isWriter = user?.canPush === true;
      const json = {
        name,
        commit: { id, message: "" },
        protected: rule !== undefined,
        user_can_push: isWriter && (rule === undefined || rule.canPush === true),
        user_can_merge: isWriter && rule?.canMerge !== false,
        enable_status_check: rule?.requiredStatuses !== undefined,
        status_check_contexts: rule?.requiredStatuses ?? [],
        required_approvals: rule?.requiredApprovals ?? 0,
      };
      return { status: 200, json };
    }),
    route("DELETE", path, async (call) => {
      writer(call);
      const name = call.values["branch"] ?? "";
      if ((await state.tip(name)) === undefined) throw refuse(404, "The target couldn't be found.");
      if (state.protectedBranches.has(name)) throw refuse(403, "branch protected");
      await state.git("update-ref", "-d", `refs/heads/${name}`);
      await state.refresh();
      return { status: 204 };
    }),
  ];
}

function pullRoutes(api: GiteaApi): Route[] {
  const { state, json, repository, refuse, writer } = api;
  const shown = async (pull: Pull): Promise<object> => json.pull(pull, (await state.tip(pull.base)) ?? "");
  return [
    route("GET", `${repository}/pulls`, async ({ query }) => {
      await state.refresh();
      const wanted = query.get("state") ?? "open";
      const base = isFrom(api, 24) ? query.get("base_branch") : null;
      const found = state.pulls.filter(
        (pull) => (wanted === "all" || pull.state === wanted) && (base === null || pull.base === base),
      );
      const ordered = query.get("sort") === "oldest" ? found : found.toReversed();
      const { items, hasMore, page } = pageOf(ordered, query, "limit", mostItemsOfAPage);
      const bases = new Set(items.map((pull) => pull.base));
      const tips = new Map(
        await Promise.all([...bases].map(async (name) => [name, await state.tip(name)] as const)),
      );
      // As Gitea's, which leads to the URL that it believes to have.
      const next = `${api.rootUrl}/api/v1${repository}/pulls?page=${page + 1}`;
      return {
        status: 200,
        json: items.map((pull) => json.pull(pull, tips.get(pull.base) ?? "")),
        headers: {
          "x-total-count": String(ordered.length),
          ...(hasMore ? { link: `<${next}>; rel="next"` } : {}),
        },
      };
    }),
    route("GET", `${repository}/pulls/{index}`, async (call) => {
      await state.refresh();
      return { status: 200, json: await shown(api.pull(call)) };
    }),
    // Whatever its state: an old closed one hides the open one.
    route("GET", `${repository}/pulls/{base}/{head}`, async ({ values }) => {
      const pull = state.pulls.find(({ base, head }) => base === values["base"] && head === values["head"]);
      if (pull === undefined) throw refuse(404, "The target couldn't be found.");
      return { status: 200, json: await shown(pull) };
    }),
    route("POST", `${repository}/pulls`, async (call) => {
      const { login } = writer(call);
      const [head, base] = [text(call.json["head"]), text(call.json["base"])];
      if ((await state.tip(head)) === undefined || (await state.tip(base)) === undefined) {
        throw refuse(404, "The target couldn't be found.");
      }
      if (head === base)
        throw refuse(422, "Invalid PullRequest: There are no changes between the head and the base");
      await state.refresh();
      const same = state.pulls.find(
        (pull) => pull.state === "open" && pull.head === head && pull.base === base,
      );
      if (same !== undefined) {
        const ids = `id: ${same.number + 1000}, issue_id: ${same.number}, head_repo_id: ${state.repositoryId}`;
        const branches = `head_branch: ${head}, base_branch: ${base}`;
        throw refuse(409, `pull request already exists for these targets [${ids}, ${branches}]`);
      }
      const [title, body] = [text(call.json["title"]), text(call.json["body"])];
      const pull = await state.addPull({ head, base, author: login, title, body });
      const ids = Array.isArray(call.json["labels"]) ? call.json["labels"] : [];
      pull.labels = state.labels.filter(({ id }) => ids.includes(id));
      return { status: 201, json: await shown(pull) };
    }),
    route("PATCH", `${repository}/pulls/{index}`, async (call) => {
      writer(call);
      const pull = api.pull(call);
      if (pull.merged && call.json["state"] !== undefined)
        throw refuse(412, "cannot change state of this pull request, it was already merged");
      if (typeof call.json["title"] === "string") pull.title = call.json["title"].slice(0, 255);
      if (typeof call.json["body"] === "string") pull.body = call.json["body"];
      if (call.json["state"] === "closed") pull.state = "closed";
      pull.updatedAt = new Date(pull.updatedAt.getTime() + 1000);
      // "should be 200", says its source.
      return { status: 201, json: await shown(pull) };
    }),
  ];
}

function commentRoutes(api: GiteaApi): Route[] {
  const { state, json, repository, refuse, writer } = api;
  return [
    // Not paged.
    route("GET", `${repository}/issues/{index}/comments`, (call) => {
      const { number } = api.pull(call);
      const found = state.comments.filter((comment) => comment.pull === number);
      return { status: 200, json: found.map(json.comment) };
    }),
    route("POST", `${repository}/issues/{index}/comments`, (call) => {
      const { login } = writer(call);
      const pull = state.pulls.find(({ number }) => String(number) === call.values["index"]);
      if (pull === undefined) throw refuse(500, "");
      return {
        status: 201,
        json: json.comment(state.addComment(pull.number, login, text(call.json["body"]))),
      };
    }),
    route("PATCH", `${repository}/issues/comments/{id}`, (call) => {
      const { login } = writer(call);
      const comment = state.comments.find(({ id }) => String(id) === call.values["id"]);
      if (comment === undefined) throw refuse(404, "The target couldn't be found.");
      if (comment.author !== login) throw refuse(403, "");
      comment.body = text(call.json["body"]);
      return { status: 200, json: json.comment(comment) };
    }),
  ];
}
