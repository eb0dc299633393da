// GitHub's REST API, as far as an update needs it.
import {
  type ApiCall,
  type ApiContext,
  pageOf,
  Refusal,
  type Reply,
  type Route,
  route,
  text,
} from "./api.ts";
import type { Comment, Pull, User } from "./forge-state.ts";

interface GithubApi extends ApiContext {
  readonly repository: string;
  readonly writer: (call: ApiCall) => User;
  readonly pull: (call: ApiCall) => Pull;
}

const refuse = (status: number, message: string, errors: readonly string[] = []): Refusal =>
  new Refusal({
    status,
    json: { message, errors: errors.map((each) => ({ message: each })), status: String(status) },
  });

const list = (items: readonly object[], { query }: ApiCall): Reply => ({
  status: 200,
  json: pageOf(items, query, "per_page", 100).items,
});

export function githubRoutes(context: ApiContext): readonly Route[] {
  const { state } = context;
  const api: GithubApi = {
    ...context,
    repository: `/repos/${state.owner}/${state.name}`,
    writer({ user }) {
      if (user === undefined) throw refuse(401, "Requires authentication");
      if (state.archived) throw refuse(403, "Repository was archived so is read-only.");
      return user;
    },
    pull({ values }) {
      const pull = state.pulls.find(({ number }) => String(number) === values["index"]);
      if (pull === undefined) throw refuse(404, "Not Found");
      return pull;
    },
  };
  return [...repositoryRoutes(api), ...pullRoutes(api), ...commentRoutes(api), ...labelRoutes(api)];
}

function repositoryRoutes({ state, repository, writer }: GithubApi): Route[] {
  return [
    route("GET", "/user", ({ user }) => {
      if (user === undefined) throw refuse(401, "Bad credentials");
      return { status: 200, json: { login: user.login, id: user.id } };
    }),
    route("GET", repository, ({ user }) => ({
      status: 200,
      json: {
        default_branch: "main",
        private: true,
        archived: state.archived,
        mirror_url: state.mirror ? "https://elsewhere.invalid/" : null,
        size: 4,
        permissions: { admin: false, push: user?.canPush === true, pull: true },
      },
    })),
    route("GET", `${repository}/branches/{branch}`, async ({ values }) => {
      const name = values["branch"] ?? "";
      const sha = await state.tip(name);
      if (sha === undefined) throw refuse(404, "Branch not found");
      return { status: 200, json: { name, commit: { sha }, protected: state.protectedBranches.has(name) } };
    }),
    route("DELETE", `${repository}/git/refs/heads/{branch}`, async (call) => {
      writer(call);
      const name = call.values["branch"] ?? "";
      if ((await state.tip(name)) === undefined) throw refuse(422, "Reference does not exist");
      await state.git("update-ref", "-d", `refs/heads/${name}`);
      await state.refresh();
      return { status: 204 };
    }),
  ];
}

function pullRoutes(api: GithubApi): Route[] {
  const { state, rootUrl, repository, writer } = api;
  const show = (pull: Pull, baseCommit: string | undefined): object => ({
    number: pull.number,
    html_url: `${rootUrl}/${state.owner}/${state.name}/pull/${pull.number}`,
    state: pull.state,
    merged_at: pull.merged ? pull.updatedAt.toISOString() : null,
    title: pull.title,
    body: pull.body === "" ? null : pull.body,
    head: {
      label: `${state.owner}:${pull.head}`,
      ref: pull.head,
      sha: pull.headCommit,
      repo: { id: pull.headRepositoryId },
    },
    base: {
      label: `${state.owner}:${pull.base}`,
      ref: pull.base,
      sha: baseCommit,
      repo: { id: state.repositoryId },
    },
    user: { login: pull.author },
    labels: pull.labels.map(({ name, color }) => ({ name, color })),
    created_at: pull.createdAt.toISOString(),
    updated_at: pull.updatedAt.toISOString(),
  });
  const shown = async (pull: Pull): Promise<object> => show(pull, await state.tip(pull.base));
  return [
    route("GET", `${repository}/pulls`, async (call) => {
      await state.refresh();
      const { query } = call;
      const wanted = query.get("state") ?? "open";
      const found = state.pulls.filter(
        ({ state: its, head, base }) =>
          (wanted === "all" || its === wanted) &&
          (query.get("base") ?? base) === base &&
          (query.get("head") ?? `${state.owner}:${head}`) === `${state.owner}:${head}`,
      );
      const { items } = pageOf(found, query, "per_page", 100);
      const bases = new Set(items.map((pull) => pull.base));
      const tips = new Map(
        await Promise.all([...bases].map(async (name) => [name, await state.tip(name)] as const)),
      );
      return { status: 200, json: items.map((pull) => show(pull, tips.get(pull.base))) };
    }),
    route("GET", `${repository}/pulls/{index}`, async (call) => {
      await state.refresh();
      return { status: 200, json: await shown(api.pull(call)) };
    }),
    route("POST", `${repository}/pulls`, async (call) => {
      const { login } = writer(call);
      const [head, base] = [text(call.json["head"]), text(call.json["base"])];
      await state.refresh();
      if (state.pulls.some((pull) => pull.state === "open" && pull.head === head && pull.base === base)) {
        throw refuse(422, "Validation Failed", [`A pull request already exists for ${state.owner}:${head}.`]);
      }
      if ((await state.tip(head)) === undefined) throw refuse(422, "Validation Failed", ["head is invalid"]);
      const [title, body] = [text(call.json["title"]), text(call.json["body"])];
      return {
        status: 201,
        json: await shown(await state.addPull({ head, base, author: login, title, body })),
      };
    }),
    route("PATCH", `${repository}/pulls/{index}`, async (call) => {
      writer(call);
      const pull = api.pull(call);
      if (typeof call.json["title"] === "string") pull.title = call.json["title"];
      if (typeof call.json["body"] === "string") pull.body = call.json["body"];
      if (call.json["state"] === "closed") pull.state = "closed";
      return { status: 200, json: await shown(pull) };
    }),
    route("GET", `${repository}/pulls/{index}/reviews`, (call) =>
      list(
        api
          .pull(call)
          // Requests for a review are elsewhere.
          .reviews.filter(({ state: its }) => its !== "REQUEST_REVIEW")
          .map(({ author, state: its }) => ({ user: { login: author }, state: its })),
        call,
      ),
    ),
    route("GET", `${repository}/pulls/{index}/commits`, async (call) => {
      await state.refresh();
      const { base, headCommit } = api.pull(call);
      const log = await state.git(
        "log",
        "--reverse",
        "--format=%H%x00%ae%x00%B%x01",
        `${base}..${headCommit}`,
        "--",
      );
      const commits = log.split("\u0001").map((entry) => entry.trim().split("\0"));
      return list(
        commits
          .filter(([sha = ""]) => sha !== "")
          .map(([sha, email, message]) => ({ sha, commit: { message, author: { email } } })),
        call,
      );
    }),
  ];
}

function commentRoutes(api: GithubApi): Route[] {
  const { state, rootUrl, repository, writer } = api;
  const shown = ({ id, body, author }: Comment): object => {
    return { id, html_url: `${rootUrl}/comments/${id}`, body, user: { login: author } };
  };
  const path = `${repository}/issues/{index}/comments`;
  return [
    route("GET", path, (call) => {
      const { number } = api.pull(call);
      return list(state.comments.filter(({ pull }) => pull === number).map(shown), call);
    }),
    route("POST", path, (call) => {
      const { login } = writer(call);
      return {
        status: 201,
        json: shown(state.addComment(api.pull(call).number, login, text(call.json["body"]))),
      };
    }),
    route("PATCH", `${repository}/issues/comments/{id}`, (call) => {
      writer(call);
      const comment = state.comments.find(({ id }) => String(id) === call.values["id"]);
      if (comment === undefined) throw refuse(404, "Not Found");
      comment.body = text(call.json["body"]);
      return { status: 200, json: shown(comment) };
    }),
  ];
}

function labelRoutes(api: GithubApi): Route[] {
  const { state, repository, writer } = api;
  const onPull = `${repository}/issues/{index}/labels`;
  const named = (name: string) =>
    state.labels.find((label) => label.name.toLowerCase() === name.toLowerCase());
  return [
    route("GET", `${repository}/labels`, (call) =>
      list(
        state.labels.map(({ name }) => ({ name })),
        call,
      ),
    ),
    route("POST", `${repository}/labels`, (call) => {
      writer(call);
      const [name, color] = [text(call.json["name"]), text(call.json["color"])];
      if (named(name) !== undefined || !/^[0-9a-f]{6}$/i.test(color)) {
        throw refuse(422, "Validation Failed", ["already_exists or invalid"]);
      }
      state.addLabel({ name, color });
      return { status: 201, json: { name, color } };
    }),
    route("GET", onPull, (call) =>
      list(
        api.pull(call).labels.map(({ name }) => ({ name })),
        call,
      ),
    ),
    route("POST", onPull, (call) => {
      writer(call);
      const pull = api.pull(call);
      const names = Array.isArray(call.json["labels"]) ? call.json["labels"].map(text) : [];
      // It creates what is missing.
      const added = names.map((name) => named(name) ?? state.addLabel({ name, color: "ededed" }));
      pull.labels = [...new Set([...pull.labels, ...added])];
      return { status: 200, json: pull.labels.map(({ name }) => ({ name })) };
    }),
    route("DELETE", `${onPull}/{name}`, (call) => {
      writer(call);
      const pull = api.pull(call);
      const label = named(call.values["name"] ?? "");
      if (label === undefined || !pull.labels.includes(label)) throw refuse(404, "Label does not exist");
      pull.labels = pull.labels.filter((each) => each !== label);
      return { status: 200, json: pull.labels.map(({ name }) => ({ name })) };
    }),
  ];
}
